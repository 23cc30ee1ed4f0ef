//! How a number is written for people: in the groups of its country.

use super::e164::Parts;
use super::plan::{self, Layout};
use super::{E164, Region};

impl E164 {
    /// The region that has the number; nothing for services without a country, and for numbers no region of a shared code has.
    #[must_use]
    pub fn region(self) -> Option<Region> {
        self.parts().region()
    }

    /// As written within its country: `(415) 555-0123`.
    #[must_use]
    pub fn national(self) -> String {
        self.parts().national()
    }

    /// As written from abroad: `+1 415-555-0123`.
    #[must_use]
    pub fn international(self) -> String {
        self.parts().international()
    }

    /// As written from abroad, without the calling code: `415-555-0123`.
    pub(super) fn international_groups(self) -> String {
        self.parts().abroad()
    }

    /// As written within its country, but without the national prefix, so that it is also part of longer forms: `(812) 123-45-67`.
    pub(super) fn national_groups(self) -> String {
        self.parts().at_home(|layout| &layout.in_groups)
    }
}

impl Parts {
    /// [`E164::region`].
    #[must_use]
    pub fn region(&self) -> Option<Region> {
        plan::owner(self.code, &self.national).and_then(|plan| plan.region)
    }

    /// [`E164::national`].
    #[must_use]
    pub fn national(&self) -> String {
        self.at_home(|layout| &layout.at_home)
    }

    /// [`E164::international`].
    #[must_use]
    pub fn international(&self) -> String {
        let groups = self.abroad();
        ["+", itoa::Buffer::new().format(self.code), " ", &groups].concat()
    }

    fn abroad(&self) -> String {
        let layouts = plan::main_of_code(self.code).map(|plan| &*plan.international_layouts);
        self.written(layouts, |layout| &layout.abroad)
    }

    fn at_home(&self, template: impl Fn(&Layout) -> &str) -> String {
        let layouts = plan::main_of_code(self.code).map(|plan| &*plan.national_layouts);
        self.written(layouts, template)
    }

    /// By the first layout that fits; a number without one is its digits.
    fn written(&self, layouts: Option<&[Layout]>, template: impl Fn(&Layout) -> &str) -> String {
        let layout = layouts.into_iter().flatten().find(|layout| layout.fits(&self.national));
        let written = layout.and_then(|layout| {
            let groups = layout.pattern.groups(&self.national)?;
            Some(plan::expand(template(layout), &groups))
        });
        written.unwrap_or_else(|| self.national.clone())
    }
}

impl Layout {
    fn fits(&self, national: &str) -> bool {
        self.leading_digits.as_ref().is_none_or(|leading| leading.is_match(national)) && self.pattern.is_match(national)
    }
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
