//! What contacts, leads and companies lists have in common: filters, order, pages.

use std::ops::RangeInclusive;
use std::sync::Arc;

use axum::response::Response;
use serde_json::{Value, json};

use super::ask::Ask;
use super::params::Params;
use super::problem::{self, Refusal};
use super::settings::OverLimit;
use super::shelf::Shelf;
use super::wire;

/// A condition a record must meet.
pub(super) type Keep<R> = Box<dyn Fn(&R) -> bool>;

/// Where a page begins and how much it holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    page: usize,
    limit: usize,
}

/// One page of records.
#[derive(Debug)]
pub(super) struct Page<R> {
    number: usize,
    items: Vec<Arc<R>>,
    more: bool,
}

impl Cut {
    pub(super) fn of(params: &Params, over: OverLimit) -> Result<Self, Refusal> {
        let limit = params.limit(over).map_err(|_| Refusal::LimitTooLarge)?;
        Ok(Self { page: params.page(), limit })
    }

    /// Takes the page out of `ids`. Without conditions nothing before the page is even looked at.
    pub(super) fn page<R>(self, ids: &[u64], get: impl Fn(u64) -> Option<Arc<R>>, keep: &[Keep<R>]) -> Page<R> {
        let before = (self.page - 1).saturating_mul(self.limit);
        let records = |from: usize| ids.iter().skip(from).filter_map(|&id| get(id));
        let mut items: Vec<Arc<R>> = if keep.is_empty() {
            records(before).take(self.limit + 1).collect()
        } else {
            let kept = records(0).filter(|record| keep.iter().all(|condition| condition(record)));
            kept.skip(before).take(self.limit + 1).collect()
        };
        let more = items.len() > self.limit;
        items.truncate(self.limit);
        Page { number: self.page, items, more }
    }
}

impl<R> Page<R> {
    /// The page as the API answers it: 204 if there is nothing on it.
    pub(super) fn answer(&self, ask: &Ask, kind: &str, item: impl Fn(&R, &Ask) -> Value) -> Response {
        if self.items.is_empty() {
            return problem::no_content();
        }
        let items: Vec<Value> = self.items.iter().map(|record| item(record, ask)).collect();
        let links = wire::links(ask, self.number, self.more);
        problem::hal(&json!({"_page": self.number, "_links": links, "_embedded": {kind: items}}))
    }
}

/// `key` must be one of the ids under `name`, if the parameter is there.
pub(super) fn one_of<R: 'static>(params: &Params, name: &str, key: fn(&R) -> u64) -> Option<Keep<R>> {
    let ids = params.ids(name)?;
    Some(Box::new(move |record| ids.contains(&key(record))))
}

/// `key` must lie within the bounds under `name`, if the parameter is there.
pub(super) fn within<R: 'static>(params: &Params, name: &str, key: fn(&R) -> Option<i64>) -> Option<Keep<R>> {
    let range = params.range(name)?;
    Some(Box::new(move |record| key(record).is_some_and(|value| range.contains(&value))))
}

/// `key` must be one of the texts under `name`, if the parameter is there.
pub(super) fn named<R: 'static>(params: &Params, name: &str, key: fn(&R) -> &str) -> Option<Keep<R>> {
    params.list(name).next()?;
    let names: Vec<String> = params.list(name).map(str::to_owned).collect();
    Some(Box::new(move |record| names.iter().any(|name| name == key(record))))
}

/// The ids a list runs through, in its order, before conditions.
pub(super) fn candidates<R>(
    params: &Params,
    shelf: &mut Shelf,
    chosen: Option<Vec<u64>>,
    get: impl Fn(u64) -> Option<Arc<R>>,
    times: fn(&R) -> (i64, i64),
) -> Vec<u64> {
    let order = params.order();
    let by_change = order.is_some_and(|order| order.field == "updated_at");
    let changed = params.range("filter[updated_at]");
    let changed_at = |id| get(id).map_or(0, |record| times(&record).1);
    let mut ids = match chosen {
        Some(mut ids) => {
            ids.sort_unstable();
            ids.dedup();
            ids.retain(|&id| shelf.holds(id));
            ids.retain(|&id| changed.as_ref().is_none_or(|range| range.contains(&changed_at(id))));
            ids
        }
        None if by_change || changed.is_some() => shelf.changed_within(changed.unwrap_or(ALWAYS), changed_at),
        None => shelf.ids().to_vec(),
    };
    match order.map_or("id", |order| order.field) {
        "updated_at" => ids.sort_by_cached_key(|&id| (changed_at(id), id)),
        "created_at" => ids.sort_by_cached_key(|&id| (get(id).map(|record| times(&record).0), id)),
        _ => ids.sort_unstable(),
    }
    if order.is_some_and(|order| order.descending) {
        ids.reverse();
    }
    ids
}

const ALWAYS: RangeInclusive<i64> = i64::MIN..=i64::MAX;
