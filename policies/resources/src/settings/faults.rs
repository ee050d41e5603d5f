//! What is wrong with settings.

use portcullis_sdk::contract::pointer;
use portcullis_sdk::quantity::{Quantity, Setting};
use portcullis_sdk::{Fault, Settings as Validate, shown};

use super::{Amounts, Defaults, Settings, Tier, amount};
use crate::request::Side;

/// What may be filled in: a device or a page that nobody asked for would be
/// taken from those who did.
const DEFAULTABLE: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];
/// The longest name in a label's key, and the longest value.
const MAX_LABEL: usize = 63;
/// The longest prefix of a label's key.
const MAX_PREFIX: usize = 253;

impl Validate for Settings {
    fn validate(&self) -> Vec<Fault> {
        let mut faults = quantities("/min", &self.min);
        faults.extend(quantities("/max", &self.max));
        faults.extend(quantities("/limitRequestRatio", &self.limit_request_ratio));
        faults.extend(self.crossed());
        faults.extend(self.small_ratios());
        if let Some(defaults) = &self.defaults {
            faults.extend(labels(defaults));
            for (at, tier) in tiers(defaults) {
                faults.extend(self.tier(&at, tier));
            }
        }
        faults
    }
}

impl Settings {
    fn crossed(&self) -> Vec<Fault> {
        let crossed = |(resource, _): (&String, &Setting)| {
            let (max, most) = amount(&self.max, resource)?;
            let (min, least) = amount(&self.min, resource)?;
            let message = format!(
                "is less than `min.{resource}` ({}): write at least that, or lower `min`",
                min.text()
            );
            (most < least).then(|| fault("/max", resource, max, &message))
        };
        self.max.iter().filter_map(crossed).collect()
    }

    fn small_ratios(&self) -> Vec<Fault> {
        let small = |(resource, setting): (&String, &Setting)| {
            let ratio = setting.quantity().ok()?;
            let message = "is less than 1, but no limit may be below its request: \
                           write 1 or more";
            let is_small = ratio < Quantity::ONE && !ratio.is_negative();
            is_small.then(|| fault("/limitRequestRatio", resource, setting, message))
        };
        self.limit_request_ratio.iter().filter_map(small).collect()
    }

    /// A tier must fill in nothing that this very policy refuses.
    fn tier(&self, at: &str, tier: &Tier) -> Vec<Fault> {
        let mut faults = Vec::new();
        for side in Side::ALL {
            let at = pointer::join(at, side.member());
            faults.extend(quantities(&at, tier.side(side)));
            for (resource, setting) in tier.side(side) {
                faults.extend(self.default(&at, resource, setting));
            }
        }
        let at = pointer::join(at, "limits");
        for resource in tier.limits.keys() {
            faults.extend(self.pair(&at, resource, tier));
        }
        faults
    }

    fn default(&self, at: &str, resource: &str, setting: &Setting) -> Option<Fault> {
        let told = |message: &str| Some(fault(at, resource, setting, message));
        if !DEFAULTABLE.contains(&resource) {
            let place = pointer::join(at, resource);
            let known = DEFAULTABLE.join("`, `");
            let message = format!("defaults are given of `{known}` only: remove it");
            return Some(Fault::new(place, message));
        }
        let quantity = setting.quantity().ok()?;
        if quantity.is_zero() {
            return told("is nothing: write more than 0, or leave it out");
        }
        match (amount(&self.min, resource), amount(&self.max, resource)) {
            (Some((min, least)), _) if quantity < least => told(&format!(
                "is below `min.{resource}`: write at least {}",
                min.text()
            )),
            (_, Some((max, most))) if quantity > most => told(&format!(
                "is above `max.{resource}`: write at most {}",
                max.text()
            )),
            _ => None,
        }
    }

    fn pair(&self, at: &str, resource: &str, tier: &Tier) -> Option<Fault> {
        let (written, limit) = amount(&tier.limits, resource)?;
        let (asked, request) = amount(&tier.requests, resource)?;
        if limit < request {
            let message = format!(
                "is less than the tier's request: write at least {}",
                asked.text()
            );
            return Some(fault(at, resource, written, &message));
        }
        let (most, ratio) = amount(&self.limit_request_ratio, resource)?;
        let message = format!(
            "is more than {} times the tier's request, which `limitRequestRatio` forbids: lower it",
            most.text()
        );
        limit
            .exceeds(ratio, request)
            .then(|| fault(at, resource, written, &message))
    }
}

fn tiers(defaults: &Defaults) -> impl Iterator<Item = (String, &Tier)> {
    let named = defaults.tiers.iter();
    let named = named.map(|(name, tier)| (pointer::join("/defaults/tiers", name), tier));
    let otherwise = defaults.otherwise.iter();
    named.chain(otherwise.map(|tier| ("/defaults/otherwise".to_owned(), tier)))
}

fn labels(defaults: &Defaults) -> Vec<Fault> {
    let mut faults = Vec::new();
    match &defaults.namespace_label {
        None if !defaults.tiers.is_empty() => faults.push(Fault::new(
            "/defaults",
            "lacks `namespaceLabel`: name the label of the namespace whose value is the tier",
        )),
        None if defaults.otherwise.is_none() => faults.push(Fault::new(
            "/defaults",
            "fills in nothing: give `otherwise`, or `namespaceLabel` and `tiers`",
        )),
        Some(label) if !is_label_key(label) => faults.push(Fault::new(
            "/defaults/namespaceLabel",
            format!(
                "`{}` is no key of a label: write one such as `tier`",
                shown(label)
            ),
        )),
        Some(_) if defaults.tiers.is_empty() => faults.push(Fault::new(
            "/defaults/tiers",
            "is empty: give what to fill in for each value of `namespaceLabel`",
        )),
        _ => {}
    }
    let values = defaults.tiers.keys().filter(|value| !is_label_part(value));
    faults.extend(values.map(|value| {
        let message = "can be no value of a label: write a word such as `gold`";
        Fault::new(pointer::join("/defaults/tiers", value), message)
    }));
    faults
}

fn is_label_key(key: &str) -> bool {
    let is_prefix = |prefix: &str| {
        let is_part = |part: &str| is_label_part(part) && !part.contains('_');
        prefix.len() <= MAX_PREFIX && prefix.split('.').all(is_part)
    };
    match key.split_once('/') {
        Some((prefix, name)) => is_prefix(prefix) && is_label_part(name),
        None => is_label_part(key),
    }
}

/// A value of a label that is not empty, or the name in its key.
fn is_label_part(text: &str) -> bool {
    let is_border = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    let is_inner = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    text.len() <= MAX_LABEL
        && is_border(bytes.first())
        && is_border(bytes.last())
        && bytes.iter().all(is_inner)
}

/// Those that are no quantities, or less than nothing.
fn quantities(at: &str, amounts: &Amounts) -> Vec<Fault> {
    let problem = |(resource, setting): (&String, &Setting)| {
        let message = match setting.quantity() {
            Err(error) => format!("is no quantity: {error}"),
            Ok(quantity) if quantity.is_negative() => {
                "is negative: write a quantity of 0 or more".to_owned()
            }
            Ok(_) => return None,
        };
        Some(fault(at, resource, setting, &message))
    };
    amounts.iter().filter_map(problem).collect()
}

fn fault(at: &str, resource: &str, setting: &Setting, message: &str) -> Fault {
    let text = shown(setting.text());
    Fault::new(pointer::join(at, resource), format!("`{text}` {message}"))
}
