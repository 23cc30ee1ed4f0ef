//! What the documents refer to exists: files by their path, and links to other documents with their sections.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use regex::Regex;

fn documents() -> Vec<PathBuf> {
    let folders = [".", "docs", "docs/recipes", "helm"];
    let entries =
        folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|suffix| suffix == "md")).collect()
}

/// The anchors that a viewer of Markdown gives to the headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let dropped = Regex::new(r"[^\w\- ]").unwrap();
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    headings.map(|heading| dropped.replace_all(heading, "").to_lowercase().replace(' ', "-")).collect()
}

#[test]
fn every_file_that_a_document_names_exists() {
    let named = Regex::new(r"`((?:src|scripts|tests|helm|docs)/[\w./-]*[\w/])`").unwrap();
    let mut seen = 0;
    for document in documents() {
        let text = std::fs::read_to_string(&document).unwrap();
        for path in named.captures_iter(&text).map(|found| found[1].to_owned()) {
            seen += 1;
            assert!(Path::new(&path).exists(), "{} names {path}, which is not there", document.display());
        }
    }
    assert!(seen > 40, "only {seen} names were found");
}

#[test]
fn every_link_to_a_document_leads_somewhere() {
    let link = Regex::new(r"\]\((?<path>[^)#:\s]*)(?:#(?<anchor>[^)\s]+))?\)").unwrap();
    for document in documents() {
        let text = std::fs::read_to_string(&document).unwrap();
        for found in link.captures_iter(&text) {
            let target = match &found["path"] {
                "" => document.clone(),
                path => document.parent().unwrap().join(path),
            };
            assert!(target.exists(), "{} links to {}, which is not there", document.display(), target.display());
            if let Some(anchor) = found.name("anchor") {
                let known = anchors(&std::fs::read_to_string(&target).unwrap());
                assert!(known.contains(anchor.as_str()), "{} has no section {}", target.display(), anchor.as_str());
            }
        }
    }
}
