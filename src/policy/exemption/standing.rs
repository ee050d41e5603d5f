//! What is wrong with an exemption that can be read: it has ended, or it never
//! did anything.

use k8s_openapi::jiff::Timestamp;

use super::{Exemption, LONGEST};
use crate::policy::PolicySet;

/// The policy that findings about exemptions stand under: no WasmPolicy's.
pub const POLICY: &str = "portcullis";

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Stable, kebab-case.
    pub code: &'static str,
    /// JSON Pointer to the member that is wrong.
    pub path: &'static str,
    /// What is the case.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

/// Its time is over.
pub const EXPIRED: &str = "exemption-expired";
/// It ends too far in the future.
pub const TOO_LONG: &str = "exemption-too-long";
/// No policy has this name.
pub const UNKNOWN_POLICY: &str = "exemption-unknown-policy";
/// The policy does not have this code.
pub const UNKNOWN_CODE: &str = "exemption-unknown-code";
/// The owner of the policy wants no exemptions.
pub const NOT_EXEMPTIBLE: &str = "exemption-not-exemptible";
/// Nothing is forgiven by it.
pub const UNUSED: &str = "exemption-unused";
/// It cannot be read.
pub const UNREADABLE: &str = "exemption-unreadable";

/// All codes of findings about exemptions, and what each means.
pub const CODES: [(&str, &str); 7] = [
    (
        EXPIRED,
        "The time of a PolicyExemption is over: what it forgave is denied again. Mend the \
         objects and delete it, or have somebody who may write exemptions give it more time.",
    ),
    (
        TOO_LONG,
        "A PolicyExemption ends more than 366 days from now, and is not in force until that is \
         less. What should hold for ever belongs into the settings or overrides of the policy.",
    ),
    (
        UNKNOWN_POLICY,
        "A PolicyExemption names a WasmPolicy that is not in force, so that it forgives nothing.",
    ),
    (
        UNKNOWN_CODE,
        "A PolicyExemption names a code that its policy does not report. The other codes hold.",
    ),
    (
        NOT_EXEMPTIBLE,
        "A PolicyExemption names a policy whose owner has not said `exemptible: true`, so that \
         it forgives nothing.",
    ),
    (
        UNUSED,
        "Nothing in its namespace would be denied or warned of without this PolicyExemption: \
         what it forgave is mended, or its selector misses it. `check` knows only the files that \
         it is given, and shows this with --show-audit.",
    ),
    (
        UNREADABLE,
        "A document says that it is a PolicyExemption and is none, so that it forgives nothing.",
    ),
];

impl Exemption {
    /// What is wrong with it, as far as policies and the time tell.
    pub fn problems(&self, set: &PolicySet, now: Timestamp) -> Vec<Problem> {
        let mut problems: Vec<Problem> = self.problem_of_time(now).into_iter().collect();
        problems.extend(self.problem_of_policy(set));
        problems
    }

    /// Whether it has ended, or ends too late.
    pub fn problem_of_time(&self, now: Timestamp) -> Option<Problem> {
        let expires = &self.spec.expires;
        let problem = |code, message, remedy: &str| {
            Some(Problem {
                code,
                path: "/spec/expires",
                message,
                remedy: remedy.to_owned(),
            })
        };
        if now >= expires.at() {
            let message = format!("its time was over at {expires}");
            return problem(EXPIRED, message, "delete it, or write a later time");
        }
        if expires.at().duration_since(now) > LONGEST {
            let message = format!("{expires} is more than 366 days from now");
            return problem(TOO_LONG, message, "write an earlier time");
        }
        None
    }

    /// Whether its policy lets itself be exempted from, and has its codes.
    pub fn problem_of_policy(&self, set: &PolicySet) -> Option<Problem> {
        let name = &self.spec.policy;
        let Some(policy) = set.get(name) else {
            let known: Vec<&str> = set.policies().iter().map(|one| one.name.as_str()).collect();
            let remedy = match known.as_slice() {
                [] => "apply the WasmPolicy first".to_owned(),
                known => format!("write one of `{}`", known.join("`, `")),
            };
            return Some(Problem {
                code: UNKNOWN_POLICY,
                path: "/spec/policy",
                message: format!("no policy in force is named `{name}`"),
                remedy,
            });
        };
        if !policy.spec.exemptible {
            return Some(Problem {
                code: NOT_EXEMPTIBLE,
                path: "/spec/policy",
                message: format!("`{name}` allows no exemptions"),
                remedy: format!("have its owner write `exemptible: true` in WasmPolicy `{name}`"),
            });
        }
        // Of a policy that does not load nobody knows the codes.
        let description = policy.description.as_deref()?;
        let unknown = |code: &&String| description.code(code).is_none();
        let unknown = self.spec.codes.iter().find(unknown)?;
        let known: Vec<&str> = description
            .codes
            .iter()
            .map(|one| one.code.as_str())
            .collect();
        Some(Problem {
            code: UNKNOWN_CODE,
            path: "/spec/codes",
            message: format!("`{name}` has no code `{unknown}`"),
            remedy: format!("write one of `{}`", known.join("`, `")),
        })
    }

    /// Whether it forgives anything that it selects.
    pub fn is_in_force(&self, set: &PolicySet, now: Timestamp) -> bool {
        let policy = set.get(&self.spec.policy);
        self.is_current(now) && policy.is_some_and(|policy| policy.spec.exemptible)
    }
}

impl Problem {
    /// That nothing needs it; `where` says what was looked at.
    pub fn unused(of: &Exemption, looked_at: &str) -> Problem {
        let codes: Vec<&str> = of.spec.codes.iter().map(String::as_str).collect();
        let codes = codes.join("`, `");
        let policy = &of.spec.policy;
        Problem {
            code: UNUSED,
            path: "/spec/selector",
            message: format!(
                "nothing {looked_at} that it selects would be denied or warned of for \
                 `{codes}` of `{policy}`"
            ),
            remedy: "delete it, or mend its selector".to_owned(),
        }
    }

    /// The line that whoever writes the exemption is told.
    pub fn line(&self) -> String {
        let field = portcullis_contract::pointer::field_path(self.path);
        format!("`{field}`: {}: {}", self.message, self.remedy)
    }
}
