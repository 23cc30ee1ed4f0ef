//! Any bytes as the body of a webhook: no panic, nothing beyond the bounds, and the same hints from the same fields however they are written.
#![no_main]

use callcard::crm::webhook::{Change, Subject, read};
use callcard::phone::Region;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let region: Region = "US".parse().expect("a region");
    let Ok(hints) = read(body, region) else { return };
    assert!(hints.len() <= 1_000);
    for hint in &hints {
        let id = match hint.subject {
            Subject::Contact(id) => id.0,
            Subject::Company(id) => id.0,
            Subject::Lead(id) => id.0,
        };
        assert_ne!(id, 0);
        assert!(hint.change == Change::Deleted || hint.phones.len() <= 10 * body.len());
    }
    let pairs = form_urlencoded::parse(body);
    let again = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    // Written out in full it may be longer than a body may be.
    if let Ok(again) = read(again.as_bytes(), region) {
        assert_eq!(again, hints);
    }
});
