//! The closed sets of words that appear in metric labels, log fields and headers.
//!
//! Everything countable is counted under one of these words, so a label can never grow with the traffic. They live at the bottom of
//! the crate so that no component has to import another one to be counted.

/// A closed set of words: what a metric's label may be.
pub trait Label: Copy + 'static {
    /// Every value, in declaration order: what the metrics touch at start.
    const ALL: &'static [Self];

    /// The word as it stands in labels, logs and headers.
    fn as_str(self) -> &'static str;

    /// The value's place in [`Label::ALL`].
    fn index(self) -> usize;
}

/// Declares an enum whose variants are label values.
macro_rules! labels {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident => $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$vdoc])* $variant,)+
        }

        impl $name {
            /// Every value, in declaration order: what the metrics touch at start.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word as it stands in labels, logs and headers.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl Label for $name {
            const ALL: &'static [Self] = $name::ALL;

            fn as_str(self) -> &'static str {
                $name::as_str(self)
            }

            fn index(self) -> usize {
                self as usize
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

labels! {
    /// How a lookup came to its answer.
    CacheStatus {
        /// A fresh entry; the CRM was not asked.
        Hit => "hit",
        /// Nothing usable was there; this lookup started the fill.
        Miss => "miss",
        /// An entry past its fresh time was given, because the CRM was slow or failing.
        Stale => "stale",
        /// The lookup waited for a fill that somebody else had started.
        Coalesced => "coalesced",
        /// Answered by the local mirror of the contact base.
        Directory => "directory",
        /// No lookup was needed: withheld, an extension, or not a number.
        Skipped => "skipped",
        /// Refused at once: the quota or the breaker left no room within the caller's deadline.
        Rejected => "rejected",
    }
}

labels! {
    /// What the caller of the service was told.
    AnswerKind {
        /// A card.
        Found => "found",
        /// Nobody has the number.
        NotFound => "not_found",
        /// The number was withheld by its owner.
        Withheld => "withheld",
        /// An internal extension, not looked up.
        Extension => "extension",
        /// Not a possible phone number.
        Invalid => "invalid",
        /// The question could not be answered.
        Error => "error",
    }
}

labels! {
    /// The CRM endpoints the service calls.
    Endpoint {
        /// `GET /contacts?query=`.
        ContactsQuery => "contacts_query",
        /// `GET /contacts` page by page.
        ContactsList => "contacts_list",
        /// `GET /contacts?filter[id][]=`.
        ContactsById => "contacts_by_id",
        /// `GET /leads?filter[id][]=`.
        Leads => "leads",
        /// `GET /leads/pipelines`.
        Pipelines => "pipelines",
        /// `GET /users`.
        Users => "users",
        /// `GET /companies`.
        Companies => "companies",
        /// `GET /catalogs/{id}/elements`.
        Catalogs => "catalogs",
        /// `GET /events`.
        Events => "events",
        /// `/webhooks`.
        Webhooks => "webhooks",
        /// `GET /account`.
        Account => "account",
        /// `POST /oauth2/access_token`.
        Oauth => "oauth",
    }
}

labels! {
    /// What kind of token the CRM knows us by.
    TokenKind {
        /// Made by a person, for a time of their choice.
        LongLived => "long_lived",
        /// OAuth2: lasts a day, and is renewed.
        Access => "access",
    }
}

labels! {
    /// How a renewal of the access token ended.
    RefreshOutcome {
        /// With a new pair from the CRM.
        Renewed => "renewed",
        /// With a pair that another process had asked for.
        Found => "found",
        /// The CRM takes no refresh token that we have.
        Refused => "refused",
        /// The CRM could not be asked.
        Failed => "failed",
        /// The token store does not keep a new pair.
        Unsaved => "unsaved",
    }
}

labels! {
    /// How one call to the CRM ended.
    UpstreamOutcome {
        /// An answer with content.
        Ok => "ok",
        /// An answer that says: nothing there (204, or an empty list).
        Empty => "empty",
        /// No answer in time.
        Timeout => "timeout",
        /// No connection, or it broke.
        Connect => "connect",
        /// 429.
        RateLimited => "rate_limited",
        /// 401.
        Unauthorized => "unauthorized",
        /// 402 or 403: not allowed, not paid, or our address is blocked.
        Forbidden => "forbidden",
        /// 5xx.
        ServerError => "server_error",
        /// An answer that is not what the API promises.
        Malformed => "malformed",
        /// Not sent: the breaker was open or the quota could not be met in time.
        ShortCircuited => "short_circuited",
    }
}

labels! {
    /// Who a call to the CRM is for: decides who goes first.
    Class {
        /// A person is waiting for the answer.
        Live => "live",
        /// Nobody waits: refreshes, dictionaries, the mirror.
        Background => "background",
    }
}

labels! {
    /// What the comparison of the CRM's candidates with the number found.
    VerdictKind {
        /// One contact owns the number.
        Match => "match",
        /// Several contacts own the number.
        Ambiguous => "ambiguous",
        /// No contact owns the number, and the CRM's result was complete.
        None => "none",
        /// No contact owns the number in what was seen, but not everything was seen.
        Incomplete => "incomplete",
    }
}

labels! {
    /// What a cache entry holds.
    EntryKind {
        /// A number that somebody has.
        Known => "known",
        /// A number that nobody has.
        Unknown => "unknown",
        /// A number whose fill failed a moment ago.
        Failed => "failed",
        /// A contact's card, shared by all of its numbers.
        Card => "card",
    }
}

labels! {
    /// Why an entry left the cache.
    EvictionCause {
        /// To make room.
        Size => "size",
        /// Past its last usable moment.
        Expired => "expired",
        /// Somebody asked for it to go.
        Invalidated => "invalidated",
    }
}

labels! {
    /// What was asked of the shared store.
    SharedOp {
        /// Read a second-level entry.
        Get => "get",
        /// Write a second-level entry.
        Put => "put",
        /// Fill lease.
        Lease => "lease",
        /// Quota script.
        Quota => "quota",
        /// Invalidation bus.
        Bus => "bus",
        /// Token store.
        Token => "token",
        /// The log of the mirror.
        Mirror => "mirror",
    }
}

labels! {
    /// What became of one delivery of a webhook.
    DeliveryOutcome {
        /// Its hints were acted on.
        Heard => "heard",
        /// It told of nothing that concerns us.
        Ignored => "ignored",
        /// It goes beyond a bound, and was not read.
        Refused => "refused",
        /// Too many were waiting: everything known was declared stale instead.
        Overflowed => "overflowed",
        /// Its body was too large, too slow, or broke off.
        Unread => "unread",
        /// It came with a wrong secret.
        Denied => "denied",
    }
}

labels! {
    /// The kind of record that a hint is about.
    HintKind {
        /// A person.
        Contact => "contact",
        /// A company.
        Company => "company",
        /// A deal.
        Lead => "lead",
    }
}

labels! {
    /// What a hint did to the cache.
    HintEffect {
        /// Entries were removed.
        Removed => "removed",
        /// Entries were declared stale.
        Expired => "expired",
        /// Nothing of it was cached.
        None => "none",
    }
}

labels! {
    /// How the account's search treats the formatting of stored numbers.
    SearchVerdict {
        /// Formatting is ignored; the digits asked for must stand in the stored ones.
        Digits => "digits",
        /// Formatting is ignored; the last seven digits decide.
        Last7 => "last7",
        /// The text is found as it was typed.
        Raw => "raw",
        /// Not known.
        Unproven => "unproven",
    }
}

labels! {
    /// What the shared store had for a fill.
    SharedResult {
        /// A fresh answer: the CRM was not asked.
        Hit => "hit",
        /// An answer past its fresh time, to be given if the CRM does not answer soon.
        Stale => "stale",
        /// Nothing that can be used.
        Miss => "miss",
        /// A fresh answer after waiting for another replica to fetch it.
        Awaited => "awaited",
        /// No answer: the store is away or slow.
        Away => "away",
    }
}
