//! A query string as Kommo reads it: PHP brackets, repeated keys, and no complaint about anything it does not know.

use std::ops::RangeInclusive;

use super::settings::OverLimit;

/// The most records a page holds.
const MAX_LIMIT: usize = 250;
/// Records a page holds when nothing is said.
const DEFAULT_LIMIT: usize = 50;

/// The decoded pairs of one query string, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Params(Vec<(String, String)>);

/// `limit=` above the most a page holds, where the account refuses it.
#[derive(Debug)]
pub(super) struct LimitTooLarge;

/// `order[…]=`: the first one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Order<'a> {
    /// The field to sort by.
    pub(super) field: &'a str,
    /// Highest first.
    pub(super) descending: bool,
}

impl Params {
    /// Decodes a query string; anything that is not UTF-8 is replaced, as PHP would not complain either.
    pub(super) fn parse(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// The last value of `key`.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().rfind(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The values of `key`, `key[]` and `key[n]`.
    pub(super) fn list<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(name, _)| is_item_of(name, key)).map(|(_, value)| value.as_str())
    }

    /// The numbers under `key`, if it is there at all; words among them match nothing.
    pub(super) fn ids(&self, key: &str) -> Option<Vec<u64>> {
        self.list(key).next()?;
        Some(self.list(key).filter_map(|value| value.trim().parse().ok()).collect())
    }

    /// `key[from]` … `key[to]`, if either is there.
    pub(super) fn range(&self, key: &str) -> Option<RangeInclusive<i64>> {
        let bound = |end: &str| self.get(&format!("{key}[{end}]")).and_then(|value| value.parse().ok());
        match (bound("from"), bound("to")) {
            (None, None) => None,
            (from, to) => Some(from.unwrap_or(i64::MIN)..=to.unwrap_or(i64::MAX)),
        }
    }

    /// Whether `with=` names `what`.
    pub(super) fn with(&self, what: &str) -> bool {
        self.get("with").is_some_and(|list| list.split(',').any(|word| word.trim() == what))
    }

    /// The first `order[field]=asc|desc`.
    pub(super) fn order(&self) -> Option<Order<'_>> {
        self.0.iter().find_map(|(name, value)| {
            let field = name.strip_prefix("order[")?.strip_suffix(']')?;
            Some(Order { field, descending: value.eq_ignore_ascii_case("desc") })
        })
    }

    /// The page asked for, from 1.
    pub(super) fn page(&self) -> usize {
        self.get("page").and_then(|value| value.parse().ok()).filter(|&page| page > 0).unwrap_or(1)
    }

    /// Records a page.
    pub(super) fn limit(&self, over: OverLimit) -> Result<usize, LimitTooLarge> {
        match self.get("limit").and_then(|value| value.parse().ok()).unwrap_or(DEFAULT_LIMIT) {
            0 => Ok(DEFAULT_LIMIT),
            limit if limit <= MAX_LIMIT => Ok(limit),
            _ if over == OverLimit::ClampTo50 => Ok(DEFAULT_LIMIT),
            _ => Err(LimitTooLarge),
        }
    }

    /// The pairs whose key is `prefix` followed by something in brackets: `(that, value)`.
    pub(super) fn under<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.iter().filter_map(move |(name, value)| {
            let (inner, _) = name.strip_prefix(prefix)?.strip_prefix('[')?.split_once(']')?;
            Some((inner, value.as_str()))
        })
    }

    /// The same query string for another page.
    pub(super) fn encoded_for_page(&self, page: usize) -> String {
        let others = self.0.iter().filter(|(name, _)| name != "page");
        let mut out = form_urlencoded::Serializer::new(String::new());
        out.extend_pairs(others).append_pair("page", &page.to_string());
        out.finish()
    }
}

fn is_item_of(name: &str, key: &str) -> bool {
    let Some(rest) = name.strip_prefix(key) else { return false };
    let index = rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    rest.is_empty() || index.is_some_and(|index| index.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_from_every_way_of_writing_them() {
        let params = Params::parse("filter[id][]=1&filter%5Bid%5D%5B%5D=2&filter[id][7]=3&filter[id]=4&filter[idle]=5");
        assert_eq!(params.ids("filter[id]"), Some(vec![1, 2, 3, 4]));
        assert_eq!(params.ids("filter[name]"), None);
    }

    #[test]
    fn a_raw_plus_is_a_space_and_an_encoded_one_a_plus() {
        assert_eq!(Params::parse("query=+1415").get("query"), Some(" 1415"));
        assert_eq!(Params::parse("query=%2B1415").get("query"), Some("+1415"));
    }

    #[test]
    fn limits_default_to_50_and_stop_at_250() {
        let limit = |query: &str, over| Params::parse(query).limit(over);
        assert_eq!(limit("", OverLimit::ClampTo50).unwrap(), 50);
        assert_eq!(limit("limit=250", OverLimit::Reject422).unwrap(), 250);
        assert_eq!(limit("limit=251", OverLimit::ClampTo50).unwrap(), 50);
        assert!(limit("limit=251", OverLimit::Reject422).is_err());
    }

    #[test]
    fn the_next_page_keeps_every_other_parameter() {
        let params = Params::parse("query=415&page=1&filter[id][]=3");
        assert_eq!(params.encoded_for_page(2), "query=415&filter%5Bid%5D%5B%5D=3&page=2");
    }
}
