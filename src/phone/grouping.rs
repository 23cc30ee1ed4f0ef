//! How a number is written for people: in the groups of its country.

use super::plan::{self, Layout, Plan};
use super::{E164, Region};

impl E164 {
    /// The region that has the number; nothing for services without a country, and for numbers no region of a shared code has.
    #[must_use]
    pub fn region(self) -> Option<Region> {
        let (code, national) = self.parts();
        plan::owner(code, &national).and_then(|plan| plan.region)
    }

    /// As written within its country: `(415) 555-0123`.
    #[must_use]
    pub fn national(self) -> String {
        self.written(|layout, plan| with_trunk(layout, plan.trunk.as_deref().unwrap_or_default()))
    }

    /// As written from abroad: `+1 415-555-0123`.
    #[must_use]
    pub fn international(self) -> String {
        format!("+{} {}", self.calling_code(), self.international_groups())
    }

    /// As written from abroad, without the calling code: `415-555-0123`.
    pub(super) fn international_groups(self) -> String {
        let (code, national) = self.parts();
        let plan = plan::main_of_code(code);
        let layout = plan.and_then(|plan| choose(&plan.international_layouts, &national));
        layout.and_then(|layout| fill(layout, &layout.template, &national)).unwrap_or(national)
    }

    /// As written within its country, but without the national prefix, so that it is also part of longer forms: `(812) 123-45-67`.
    pub(super) fn national_groups(self) -> String {
        self.written(|layout, _| without_trunk(layout))
    }

    fn written(self, template: impl Fn(&Layout, &Plan) -> String) -> String {
        let (code, national) = self.parts();
        let written = plan::main_of_code(code).and_then(|plan| {
            let layout = choose(&plan.national_layouts, &national)?;
            fill(layout, &template(layout, plan), &national)
        });
        written.unwrap_or(national)
    }
}

fn choose<'p>(layouts: &'p [Layout], national: &str) -> Option<&'p Layout> {
    layouts.iter().find(|layout| {
        layout.leading_digits.as_ref().is_none_or(|leading| leading.is_match(national))
            && layout.pattern.is_match(national)
    })
}

fn fill(layout: &Layout, template: &str, national: &str) -> Option<String> {
    layout.pattern.groups(national).map(|groups| plan::expand(template, &groups))
}

/// The template with its first group as the trunk rule has it.
fn with_trunk(layout: &Layout, trunk: &str) -> String {
    with_rule(layout, |rule| rule.replace("$NP", trunk))
}

/// The same with nothing but an opening bracket in front of the first group.
fn without_trunk(layout: &Layout) -> String {
    with_rule(layout, |rule| {
        let (before, after) = rule.split_once(FIRST_GROUP).unwrap_or(("", ""));
        let bracket = if before.contains('(') { "(" } else { "" };
        format!("{bracket}{FIRST_GROUP}{after}")
    })
}

/// In a trunk rule: the first group of the template.
const FIRST_GROUP: &str = "$FG";

fn with_rule(layout: &Layout, rewrite: impl Fn(&str) -> String) -> String {
    let template = &layout.template;
    let (Some(rule), Some(at)) = (&layout.trunk_rule, template.find('$')) else { return template.clone() };
    let (first, rest) = template[at..].split_at(2);
    format!("{}{}{rest}", &template[..at], rewrite(rule).replace(FIRST_GROUP, first))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> E164 {
        text.parse().unwrap()
    }

    #[test]
    fn forms_are_those_of_the_country() {
        let forms = [
            ("+14155550123", "(415) 555-0123", "+1 415-555-0123"),
            ("+442079460958", "020 7946 0958", "+44 20 7946 0958"),
            ("+78121234567", "8 (812) 123-45-67", "+7 812 123-45-67"),
            ("+5491123456789", "011 15-2345-6789", "+54 9 11 2345-6789"),
            ("+390612345678", "06 1234 5678", "+39 06 1234 5678"),
            ("+80012345678", "1234 5678", "+800 1234 5678"),
        ];
        for (e164, national, international) in forms {
            assert_eq!(
                (number(e164).national().as_str(), number(e164).international().as_str()),
                (national, international)
            );
        }
    }

    #[test]
    fn a_number_without_layout_is_its_digits() {
        assert_eq!(number("+12530000").national(), "253-0000");
        assert_eq!(number("+1115555012345").international(), "+1 115555012345");
    }

    #[test]
    fn shared_codes_are_told_apart() {
        let regions = [
            ("+14155550123", "US"),
            ("+16135550123", "CA"),
            ("+77012345678", "KZ"),
            ("+79161234567", "RU"),
            ("+441534456789", "JE"),
        ];
        for (e164, region) in regions {
            assert_eq!(number(e164).region().map(Region::as_str), Some(region), "{e164}");
        }
        assert_eq!(number("+80012345678").region(), None);
    }
}
