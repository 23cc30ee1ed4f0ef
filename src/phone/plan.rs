//! Numbering plans: how each country's numbers are built.
//!
//! The one file that touches the `phonenumber` crate. It takes libphonenumber's metadata out of that crate once, at first use, and keeps it in
//! the form that [`reading`](super::reading) and [`grouping`](super::grouping) ask for.

use super::Region;
use super::pattern::Pattern;
use phonenumber::Metadata;
use phonenumber::metadata::{DATABASE, Descriptor, Format};
use rustc_hash::FxHashMap;
use std::sync::LazyLock;

/// A country's (or a non-geographic service's) numbering plan.
#[derive(Debug)]
pub(super) struct Plan {
    /// `None` for non-geographic calling codes.
    pub(super) region: Option<Region>,
    pub(super) code: u16,
    /// What is dialled before a calling code (`00`, `011`, `8~10`).
    pub(super) international_prefix: Option<Pattern>,
    /// What is dialled before a national number (`0`, `8`), as written.
    pub(super) trunk: Option<String>,
    /// The same with carrier codes, as read.
    pub(super) trunk_pattern: Option<Pattern>,
    /// What the trunk pattern's match becomes (`9$1` in Argentina); without it the match is dropped.
    pub(super) trunk_transform: Option<String>,
    /// Tells a region from the others with its calling code.
    pub(super) leading_digits: Option<Pattern>,
    /// What any national number looks like.
    pub(super) general: Shape,
    /// What numbers of each kind (fixed line, mobile …) look like.
    kinds: Vec<Shape>,
    local_lengths: Vec<usize>,
    pub(super) national_layouts: Vec<Layout>,
    pub(super) international_layouts: Vec<Layout>,
}

/// Which national numbers exist.
#[derive(Debug)]
pub(super) struct Shape {
    lengths: Vec<usize>,
    pub(super) pattern: Pattern,
}

/// How a national number is written in groups.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) leading_digits: Option<Pattern>,
    pub(super) pattern: Pattern,
    /// Groups of the pattern and what stands between them, as written from abroad: `$1 $2-$3`.
    pub(super) abroad: String,
    /// The same as written at home, national prefix included: `8 ($1) $2-$3`.
    pub(super) at_home: String,
    /// The same without the national prefix: `($1) $2-$3`.
    pub(super) in_groups: String,
}

/// How a national number's length compares with those of its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    Possible,
    /// Dialled within an area only.
    LocalOnly,
    TooShort,
    TooLong,
    InvalidLength,
}

impl Plan {
    /// Whether a number of this length is possible.
    pub(super) fn fit(&self, national: &str) -> Fit {
        let length = national.len();
        let lengths = &self.general.lengths;
        if lengths.contains(&length) {
            Fit::Possible
        } else if self.local_lengths.contains(&length) {
            Fit::LocalOnly
        } else if lengths.first().is_none_or(|&shortest| length < shortest) {
            Fit::TooShort
        } else if lengths.last().is_some_and(|&longest| length > longest) {
            Fit::TooLong
        } else {
            Fit::InvalidLength
        }
    }

    /// Whether a number like this has been handed out to some kind of subscriber.
    pub(super) fn is_assigned(&self, national: &str) -> bool {
        self.general.fits(national) && self.kinds.iter().any(|kind| kind.fits(national))
    }
}

impl Shape {
    fn fits(&self, national: &str) -> bool {
        (self.lengths.is_empty() || self.lengths.contains(&national.len())) && self.pattern.is_match(national)
    }
}

/// The plan of `region`.
pub(super) fn of_region(region: Region) -> &'static Plan {
    &PLANS.all[PLANS.by_region[region.index()]]
}

/// The plans that share `code`, the main one first; empty if nobody has the code.
pub(super) fn of_code(code: u16) -> impl Iterator<Item = &'static Plan> {
    PLANS.by_code.get(&code).into_iter().flatten().map(|&index| &PLANS.all[index])
}

/// The plan that decides about lengths and layouts of `code`'s numbers.
pub(super) fn main_of_code(code: u16) -> Option<&'static Plan> {
    of_code(code).next()
}

/// The plan among those of `code` that `national` belongs to, if it is a valid number of one.
pub(super) fn owner(code: u16, national: &str) -> Option<&'static Plan> {
    let mut plans = of_code(code).peekable();
    let first = plans.next()?;
    if plans.peek().is_none() {
        return Some(first);
    }
    of_code(code).find(|plan| match &plan.leading_digits {
        Some(leading) => leading.is_match(national),
        None => plan.is_assigned(national),
    })
}

/// No national number has more digits.
const LONGEST_NATIONAL: usize = 17;

/// `$1` and so on in `template`, a layout's or a trunk transform's, replaced by the groups.
pub(super) fn expand(template: &str, groups: &[&str]) -> String {
    let mut parts = template.split('$');
    let mut text = String::with_capacity(template.len() + LONGEST_NATIONAL);
    text.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (index, literal) = part.split_at(part.len().min(1));
        let group = index.parse::<usize>().ok().and_then(|index| groups.get(index));
        text.push_str(group.unwrap_or(&""));
        text.push_str(literal);
    }
    text
}

/// Loads the plans and compiles every pattern in them, so that no caller waits for it. Blocking: a fifth of a second of work.
///
/// The plans take 8 MB then, half of it the `phonenumber` crate's own form of them, and never more.
pub fn warm() {
    super::writing::warm();
    PLANS.all.iter().flat_map(Plan::patterns).for_each(Pattern::warm);
}

impl Plan {
    fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        let shapes = self.kinds.iter().chain([&self.general]).map(|shape| &shape.pattern);
        let layouts = self.national_layouts.iter().chain(&self.international_layouts);
        let prefixes = [&self.international_prefix, &self.trunk_pattern, &self.leading_digits].into_iter().flatten();
        let patterns = shapes.chain(prefixes).chain(layouts.clone().map(|layout| &layout.pattern));
        patterns.chain(layouts.filter_map(|layout| layout.leading_digits.as_ref()))
    }
}

/// Every plan.
struct Plans {
    all: Vec<Plan>,
    /// Indices into `all`, in the order of [`Region::all`].
    by_region: Vec<usize>,
    by_code: FxHashMap<u16, Vec<usize>>,
}

static PLANS: LazyLock<Plans> = LazyLock::new(Plans::load);

impl Plans {
    fn load() -> Self {
        let mut all = Vec::new();
        let mut by_region = Vec::new();
        let mut by_code: FxHashMap<u16, Vec<usize>> = FxHashMap::default();
        for region in Region::all() {
            let metadata = DATABASE.by_id(region.as_str()).expect("a test holds the regions against the metadata");
            by_region.push(all.len());
            all.push(plan(metadata, Some(region)));
        }
        for code in 1..=999 {
            for metadata in DATABASE.by_code(&code).into_iter().flatten() {
                let region = metadata.id().parse::<Region>().ok();
                let index = region.map_or(all.len(), |region| by_region[region.index()]);
                if region.is_none() {
                    all.push(plan(metadata, None));
                }
                by_code.entry(code).or_default().push(index);
            }
        }
        Self { all, by_region, by_code }
    }
}

fn plan(metadata: &Metadata, region: Option<Region>) -> Plan {
    let shapes = metadata.descriptors();
    let kinds = kinds(metadata);
    let lengths = union(kinds.iter().map(|kind| kind.possible_length()));
    let local_lengths = union(kinds.iter().map(|kind| kind.possible_local_length()));
    let at_start = |source: &str| Pattern::at_start(source);
    let layout = |format| layout(format, metadata.national_prefix().unwrap_or_default());
    Plan {
        region,
        code: metadata.country_code(),
        international_prefix: metadata.international_prefix().map(|prefix| at_start(prefix.as_str())),
        trunk: metadata.national_prefix().map(str::to_owned),
        trunk_pattern: metadata
            .national_prefix_for_parsing()
            .map(|pattern| pattern.as_str())
            .or_else(|| metadata.national_prefix())
            .map(at_start),
        trunk_transform: metadata.national_prefix_transform_rule().map(str::to_owned),
        leading_digits: metadata.leading_digits().map(|leading| at_start(leading.as_str())),
        general: Shape { lengths, pattern: Pattern::whole(shapes.general().national_number().as_str()) },
        kinds: kinds.into_iter().map(shape).collect(),
        local_lengths,
        national_layouts: metadata.formats().iter().map(&layout).collect(),
        international_layouts: metadata.international_formats().iter().map(&layout).collect(),
    }
}

/// What counts as a number of the country; what can only be dialled inside it (`no_international`) counts by way of its own kind.
fn kinds(metadata: &Metadata) -> Vec<&Descriptor> {
    let all = metadata.descriptors();
    let reachable = [all.fixed_line(), all.mobile(), all.toll_free(), all.premium_rate(), all.shared_cost()];
    let special = [all.voip(), all.personal_number(), all.pager(), all.uan(), all.voicemail()];
    reachable.into_iter().chain(special).flatten().collect()
}

fn shape(descriptor: &Descriptor) -> Shape {
    Shape {
        lengths: union([descriptor.possible_length()].into_iter()),
        pattern: Pattern::whole(descriptor.national_number().as_str()),
    }
}

fn layout(format: &Format, trunk: &str) -> Layout {
    let rule = format.national_prefix().filter(|rule| !rule.is_empty());
    Layout {
        leading_digits: format.leading_digits().last().map(|leading| Pattern::at_start(leading.as_str())),
        pattern: Pattern::whole(format.pattern().as_str()),
        abroad: format.format().to_owned(),
        at_home: with_first_group(format.format(), rule.map(|rule| rule.replace("$NP", trunk))),
        in_groups: with_first_group(format.format(), rule.map(without_trunk)),
    }
}

/// In a rule about the national prefix, `($NP$FG)`: the first group of the template.
const FIRST_GROUP: &str = "$FG";

/// The rule with nothing but an opening bracket in front of the first group.
fn without_trunk(rule: &str) -> String {
    let (before, after) = rule.split_once(FIRST_GROUP).unwrap_or_default();
    let bracket = if before.contains('(') { "(" } else { "" };
    format!("{bracket}{FIRST_GROUP}{after}")
}

/// The template with its first group as the rule has it.
fn with_first_group(template: &str, rule: Option<String>) -> String {
    let (Some(rule), Some(at)) = (rule, template.find('$')) else { return template.to_owned() };
    let (first, rest) = template[at..].split_at(2);
    format!("{}{}{rest}", &template[..at], rule.replace(FIRST_GROUP, first))
}

fn union<'a>(lengths: impl Iterator<Item = &'a [u16]>) -> Vec<usize> {
    let mut all: Vec<_> = lengths.flatten().map(|&length| usize::from(length)).collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phone::calling_code;
    use fastrand::Rng;
    use regex::bytes::{Match, RegexBuilder};
    use std::collections::BTreeSet;

    #[test]
    fn regions_and_calling_codes_are_those_of_the_metadata() {
        let regions: BTreeSet<_> = DATABASE.iter().map(Metadata::id).filter(|id| *id != "001").collect();
        assert_eq!(Region::all().map(Region::as_str).collect::<BTreeSet<_>>(), regions);
        let codes: BTreeSet<_> = PLANS.by_code.keys().copied().collect();
        assert_eq!(calling_code::all().collect::<BTreeSet<_>>(), codes);
    }

    /// A number of each kind that the plan has.
    fn examples(plan: &Plan) -> Vec<&'static str> {
        let metadata = DATABASE.by_code(&plan.code).into_iter().flatten();
        let own = metadata.filter(|metadata| metadata.id().parse::<Region>().ok() == plan.region);
        own.flat_map(kinds).filter_map(Descriptor::example).collect()
    }

    fn random(rng: &mut Rng, length: usize) -> String {
        (0..length).map(|_| rng.digit(10)).collect()
    }

    /// Digits of every length, and the examples with other digits at their beginning or end.
    fn texts(plan: &Plan, rng: &mut Rng) -> Vec<String> {
        let mut texts: Vec<_> = (0..=20).map(|length| random(rng, length)).collect();
        for example in examples(plan) {
            texts.push(example.to_owned());
            for at in 0..=example.len() {
                texts.push(example[..at].to_owned());
                let others = rng.usize(..=20 - at);
                texts.push(example[..at].to_owned() + &random(rng, others));
                texts.push(random(rng, others) + &example[at..]);
            }
        }
        texts
    }

    #[test]
    fn every_pattern_matches_what_its_expression_does() {
        let mut rng = Rng::with_seed(10);
        let mut unmatched = 0;
        for plan in &PLANS.all {
            let mut texts = texts(plan, &mut rng);
            let own = texts.len();
            for pattern in plan.patterns() {
                texts.truncate(own);
                texts.extend((0..20).map(|_| pattern.any_start(&mut rng)));
                let regex = RegexBuilder::new(&format!("^(?:{})", pattern.source())).unicode(false).build().unwrap();
                for text in &texts {
                    let expected = regex.captures(text.as_bytes()).map(|captures| {
                        let group = |group: Option<Match<'_>>| group.map_or("", |group| &text[group.range()]);
                        captures.iter().map(group).collect::<Vec<_>>()
                    });
                    assert_eq!(pattern.groups(text), expected, "{} {text}", pattern.source());
                    assert_eq!(pattern.matched_length(text), expected.map(|groups| groups[0].len()));
                }
                unmatched += usize::from(!texts.iter().any(|text| pattern.is_match(text)));
            }
        }
        assert!(unmatched < 10, "{unmatched} patterns matched none of the texts");
    }

    #[test]
    fn the_main_country_of_a_shared_code_comes_first() {
        for (code, main) in [(1, "US"), (7, "RU"), (44, "GB"), (39, "IT"), (590, "GP")] {
            assert_eq!(main_of_code(code).and_then(|plan| plan.region).map(Region::as_str), Some(main));
        }
    }

    #[test]
    fn lengths_are_those_of_all_kinds_together() {
        let us = of_region("US".parse().unwrap());
        assert_eq!(us.fit("4155550123"), Fit::Possible);
        assert_eq!(us.fit("5550123"), Fit::LocalOnly);
        assert_eq!(us.fit("555012"), Fit::TooShort);
        assert_eq!(of_region("RU".parse().unwrap()).fit("99912345678"), Fit::InvalidLength);
        assert_eq!(us.fit("41555501234"), Fit::TooLong);
    }
}
