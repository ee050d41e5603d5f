//! What is wrong with a relocation, in words.

use portcullis_relocation::promotion::Problem;

/// One line, and what to do.
pub fn problem(problem: &Problem) -> String {
    match problem {
        Problem::Dangling { field, secret } => format!(
            "{field} was moved to Secret {secret}, which is gone: write its value again, or put the \
             Secret back"
        ),
        Problem::Unverified { field, secret } => {
            format!(
                "{field} names Secret {secret}, which was not made for it: write its value again"
            )
        }
        Problem::Foreign { secret } => {
            format!("Secret {secret} is in the way and was not made by Portcullis: delete it")
        }
    }
}
