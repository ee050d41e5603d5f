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
    let (text, noun) = (shown(amount.written.text()), amount.side.noun());
    let resource = shown(amount.resource);
    let advice = |code, (remedy, problem): (&str, &str), bound: &str| Advice {
        code,
        remedy: format!("write {remedy} {bound}"),
        message: format!("the {noun} of {resource} is `{text}`, {problem} of {bound}"),
    };
    let bound = |amounts| self::amount(amounts, amount.resource);
    match (bound(&settings.min), bound(&settings.max)) {
        (Some((min, least)), _) if amount.quantity < least => Some(advice(
            Code::ResourcesBelowMinimum,
            ("at least", "below the minimum"),
            min.text(),
        )),
        (_, Some((max, most))) if amount.quantity > most => Some(advice(
            Code::ResourcesAboveMaximum,
            ("at most", "above the maximum"),
            max.text(),
        )),
        _ => None,
    }
}

/// Whether request and limit go together. The finding is on the field that
/// the remedy changes: the request where both must be equal, else the limit.
fn relation(placed: &Placed<'_>, amount: &Amount<'_>) -> Option<Advice> {
    let Amount { side, resource, .. } = *amount;
    let other = match side {
        Side::Limits => placed.get(Side::Requests, resource),
        Side::Requests => placed.get(Side::Limits, resource),
    };
    let (text, name) = (shown(amount.written.text()), shown(resource));
    let Some(other) = other else {
        let is_alone = side == Side::Requests && is_fixed(resource);
        return is_alone.then(|| Advice {
            code: Code::ResourcesUnequal,
            remedy: format!("add the same limit, as in `limits: {{{name}: {text}}}`"),
            message: format!("{name} has a request of `{text}` and no limit"),
        });
    };
    let quantity = sound(side, resource, other).ok()?.quantity;
    let other = shown(other.text());
    if side == Side::Requests && is_fixed(resource) && quantity != amount.quantity {
        return Some(Advice {
            code: Code::ResourcesUnequal,
            remedy: format!("write the limit's amount here too: `{other}`"),
            message: format!(
                "the request of {name} is `{text}` and its limit `{other}`, but they must be equal"
            ),
        });
    }
    let is_below = side == Side::Limits && !is_fixed(resource) && amount.quantity < quantity;
    is_below.then(|| Advice {
        code: Code::ResourcesLimitBelowRequest,
        remedy: format!("raise the limit to `{other}` or more, or lower the request"),
        message: format!("the limit of {name} is `{text}`, below its request of `{other}`"),
    })
}

fn ratio(placed: &Placed<'_>, limit: &Amount<'_>, settings: &Settings) -> Option<Advice> {
    let Amount { side, resource, .. } = *limit;
    let (most, ratio) = self::amount(&settings.limit_request_ratio, resource)?;
    if side != Side::Limits {
        return None;
    }
    let written = placed.get(Side::Requests, resource)?;
    let request = sound(Side::Requests, resource, written).ok()?.quantity;
    let is_far = limit.quantity.exceeds(ratio, request);
    let (text, request, most) = (
        shown(limit.written.text()),
        shown(written.text()),
        most.text(),
    );
    let resource = shown(resource);
    is_far.then(|| Advice {
        code: Code::ResourcesRatio,
        remedy: format!(
            "lower the limit to at most {most} times the request, or raise the request"
        ),
        message: format!(
            "the limit of {resource} is `{text}`, more than {most} times its request of `{request}`"
        ),
    })
}
