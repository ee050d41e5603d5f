//! Whether quantities that are there make sense.

use portcullis_sdk::quantity::{Quantity, Written};
use portcullis_sdk::{Report, shown};

use crate::Code;
use crate::place::Placed;
use crate::request::Side;
use crate::settings::{Settings, amount};

/// Resources of which nothing is always a mistake.
const NEVER_ZERO: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// One quantity: where it stands, and what it amounts to.
struct Amount<'r> {
    side: Side,
    resource: &'r str,
    written: &'r Written<'r>,
    quantity: Quantity,
}

impl Amount<'_> {
    /// The resource, as a message names it.
    fn name(&self) -> String {
        shown(self.resource)
    }

    /// What was written, as a message repeats it.
    fn text(&self) -> String {
        shown(self.written.text())
    }
}

/// A finding without its place.
struct Advice {
    code: Code,
    remedy: String,
    message: String,
}

/// Finds what is wrong with the quantities of a container or a pod.
pub(crate) fn find(placed: &Placed<'_>, settings: &Settings, report: &mut Report<Code>) {
    for (side, resource, written) in placed.quantities() {
        let advice = match sound(side, resource, written) {
            Err(advice) => vec![advice],
            Ok(amount) => [
                bounds(&amount, settings),
                relation(placed, &amount),
                ratio(placed, &amount, settings),
            ]
            .into_iter()
            .flatten()
            .collect(),
        };
        for Advice {
            code,
            remedy,
            message,
        } in advice
        {
            report.find(code, placed.place_of(side, resource), remedy, message);
        }
    }
}

/// The amount, if it makes sense taken by itself.
fn sound<'r>(
    side: Side,
    resource: &'r str,
    written: &'r Written<'r>,
) -> Result<Amount<'r>, Advice> {
    let advice = |code: Code, remedy: String, problem: &str| Advice {
        code,
        remedy,
        message: format!(
            "the {} of {} is `{}`, which is {problem}",
            side.noun(),
            shown(resource),
            shown(written.text())
        ),
    };
    let quantity = written
        .quantity()
        .map_err(|error| advice(Code::ResourcesInvalid, error.to_string(), "no quantity"))?;
    let (code, remedy, problem) = match quantity {
        quantity if quantity.is_negative() => (
            Code::ResourcesInvalid,
            "write an amount of more than 0",
            "negative",
        ),
        quantity if quantity.is_zero() && NEVER_ZERO.contains(&resource) => (
            Code::ResourcesZero,
            "write what the container needs, or leave the field out",
            "nothing",
        ),
        quantity if !quantity.is_whole() && is_extended(resource) => (
            Code::ResourcesInvalid,
            "write a whole number: parts of a device cannot be had",
            "a fraction",
        ),
        quantity => {
            return Ok(Amount {
                side,
                resource,
                written,
                quantity,
            });
        }
    };
    Err(advice(code, remedy.to_owned(), problem))
}

/// A resource that a device plugin or an administrator offers. The API server
/// tells them by their prefix (`IsExtendedResourceName`).
fn is_extended(resource: &str) -> bool {
    resource.contains('/') && !resource.contains("kubernetes.io/")
}

/// Resources of which request and limit have to be equal
/// (`IsOvercommitAllowed` of the API server says no).
fn is_fixed(resource: &str) -> bool {
    is_extended(resource) || resource.starts_with("hugepages-")
}

fn bounds(amount: &Amount<'_>, settings: &Settings) -> Option<Advice> {
    let bound = |amounts| self::amount(amounts, amount.resource);
    let (code, remedy, problem, bound) = match (bound(&settings.min), bound(&settings.max)) {
        (Some((min, least)), _) if amount.quantity < least => (
            Code::ResourcesBelowMinimum,
            "at least",
            "below the minimum",
            min.text(),
        ),
        (_, Some((max, most))) if amount.quantity > most => (
            Code::ResourcesAboveMaximum,
            "at most",
            "above the maximum",
            max.text(),
        ),
        _ => return None,
    };
    Some(Advice {
        code,
        remedy: format!("write {remedy} {bound}"),
        message: format!(
            "the {} of {} is `{}`, {problem} of {bound}",
            amount.side.noun(),
            amount.name(),
            amount.text()
        ),
    })
}

/// Whether request and limit go together. The finding is on the field that
/// the remedy changes: the request where both must be equal, else the limit.
fn relation(placed: &Placed<'_>, amount: &Amount<'_>) -> Option<Advice> {
    let resource = amount.resource;
    match (amount.side, is_fixed(resource)) {
        (Side::Requests, true) => match placed.get(Side::Limits, resource) {
            Some(limit) => unequal(amount, limit),
            None => Some(alone(amount)),
        },
        (Side::Limits, false) => below(amount, placed.get(Side::Requests, resource)?),
        _ => None,
    }
}

fn alone(request: &Amount<'_>) -> Advice {
    let (name, text) = (request.name(), request.text());
    Advice {
        code: Code::ResourcesUnequal,
        remedy: format!("add the same limit, as in `limits: {{{name}: {text}}}`"),
        message: format!("{name} has a request of `{text}` and no limit"),
    }
}

fn unequal(request: &Amount<'_>, limit: &Written<'_>) -> Option<Advice> {
    let other = sound(Side::Limits, request.resource, limit).ok()?;
    if other.quantity == request.quantity {
        return None;
    }
    let (name, text, limit) = (request.name(), request.text(), other.text());
    Some(Advice {
        code: Code::ResourcesUnequal,
        remedy: format!("write the limit's amount here too: `{limit}`"),
        message: format!(
            "the request of {name} is `{text}` and its limit `{limit}`, but they must be equal"
        ),
    })
}

fn below(limit: &Amount<'_>, request: &Written<'_>) -> Option<Advice> {
    let other = sound(Side::Requests, limit.resource, request).ok()?;
    if limit.quantity >= other.quantity {
        return None;
    }
    let (name, text, request) = (limit.name(), limit.text(), other.text());
    Some(Advice {
        code: Code::ResourcesLimitBelowRequest,
        remedy: format!("raise the limit to `{request}` or more, or lower the request"),
        message: format!("the limit of {name} is `{text}`, below its request of `{request}`"),
    })
}

fn ratio(placed: &Placed<'_>, limit: &Amount<'_>, settings: &Settings) -> Option<Advice> {
    if limit.side != Side::Limits {
        return None;
    }
    let (most, ratio) = amount(&settings.limit_request_ratio, limit.resource)?;
    let written = placed.get(Side::Requests, limit.resource)?;
    let request = sound(Side::Requests, limit.resource, written).ok()?;
    if !limit.quantity.exceeds(ratio, request.quantity) {
        return None;
    }
    let (name, text, most) = (limit.name(), limit.text(), most.text());
    Some(Advice {
        code: Code::ResourcesRatio,
        remedy: format!(
            "lower the limit to at most {most} times the request, or raise the request"
        ),
        message: format!(
            "the limit of {name} is `{text}`, more than {most} times its request of `{}`",
            request.text()
        ),
    })
}
