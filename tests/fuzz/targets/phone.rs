//! Any text as a caller's number and as a stored one: no panic, and whatever is read can be read again.
#![no_main]

use callcard::phone::{Caller, CallerReader, Region, read_stored};
use libfuzzer_sys::fuzz_target;

const REGIONS: [&str; 8] = ["US", "RU", "BR", "MX", "AR", "IT", "DE", "CN"];

fuzz_target!(|input: (u8, &str)| {
    let (choice, text) = input;
    let region: Region = REGIONS[usize::from(choice) % REGIONS.len()].parse().expect("a region");
    // A memo of one entry: it forgets, so that each reading is a real one.
    if let Ok(Caller::Number(number)) = CallerReader::new(1).read(text, region) {
        let again = CallerReader::new(1).read(&number.e164.to_string(), region);
        let Ok(Caller::Number(again)) = again else { panic!("a number read is no number when read again") };
        assert_eq!(again.e164, number.e164);
        assert!(!number.e164.national_number().is_empty());
        for text in number.e164.search_texts() {
            assert!(text.text.bytes().filter(u8::is_ascii_digit).count() >= 7);
        }
    }
    for number in read_stored(text, region) {
        assert!(read_stored(&number.e164.to_string(), region).iter().any(|again| again.e164 == number.e164));
    }
});
