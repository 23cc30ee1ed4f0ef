//! The names of a form's fields: `contacts[update][0][id]`.

use super::{MAX_DEPTH, MAX_KEY, Refusal};

/// The parts of a field's name, outermost first.
pub(super) type Path<'a> = Vec<&'a str>;

/// Takes a name apart. A name whose brackets do not fit together has no meaning, and no path.
pub(super) fn path(name: &str) -> Result<Option<Path<'_>>, Refusal> {
    if name.len() > MAX_KEY {
        return Err(Refusal::LongName);
    }
    let (head, mut rest) = name.split_at(name.find('[').unwrap_or(name.len()));
    let mut path = vec![head];
    while let Some(inner) = rest.strip_prefix('[') {
        let Some((part, after)) = inner.split_once(']') else { return Ok(None) };
        if path.len() == MAX_DEPTH {
            return Err(Refusal::TooDeep);
        }
        path.push(part);
        rest = after;
    }
    Ok(rest.is_empty().then_some(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_apart_at_its_brackets() {
        for (name, parts) in [
            ("account", &["account"][..]),
            ("contacts[update][0][id]", &["contacts", "update", "0", "id"]),
            ("a[][ b ][c[d]", &["a", "", " b ", "c[d"]),
            ("[a]", &["", "a"]),
            ("", &[""]),
        ] {
            assert_eq!(path(name).unwrap().unwrap(), parts, "{name}");
        }
    }

    #[test]
    fn brackets_that_do_not_fit_have_no_meaning() {
        for name in ["a[", "a[b", "a[b]c", "a[b]]", "a[b][", "[[["] {
            assert_eq!(path(name), Ok(None), "{name}");
        }
    }

    #[test]
    fn depth_and_length_are_bounded() {
        assert_eq!(path(&format!("a{}", "[b]".repeat(MAX_DEPTH - 1))).unwrap().unwrap().len(), MAX_DEPTH);
        assert_eq!(path(&format!("a{}", "[b]".repeat(MAX_DEPTH))), Err(Refusal::TooDeep));
        assert_eq!(path(&"[".repeat(MAX_KEY + 1)), Err(Refusal::LongName));
    }
}
