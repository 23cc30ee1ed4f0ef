//! A module imports only from lower layers. The table is the crate docs' own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Module → layer, as `src/lib.rs` documents it.
fn layers() -> BTreeMap<String, u8> {
    let lib = std::fs::read_to_string("src/lib.rs").unwrap();
    let rows = lib.lines().filter_map(|line| line.strip_prefix("//! | ")).filter_map(|row| row.split_once(" | "));
    let mut layers = BTreeMap::new();
    for (layer, modules) in rows {
        let Ok(layer) = layer.parse() else { continue };
        for module in modules.split("[`").skip(1).filter_map(|rest| rest.split_once('`')) {
            layers.insert(module.0.to_owned(), layer);
        }
    }
    layers
}

/// Every Rust file below a folder.
pub(crate) fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|suffix| suffix == "rs"))
        .collect()
}

/// The top-level module a file belongs to.
fn module_of(path: &Path) -> String {
    let inside = path.strip_prefix("src").unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// The top-level modules that a file names, outside its comments; `use crate::{a, b}` included.
fn imports(source: &str) -> BTreeSet<String> {
    let code: String =
        source.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            Some(list) => {
                let list = list.split_once("};").map_or(list, |(list, _)| list);
                let mut depth = 0;
                for item in list.split(',') {
                    if depth == 0 {
                        found.insert(word(item.trim()));
                    }
                    depth += item.matches('{').count();
                    depth -= item.matches('}').count();
                }
            }
            None => drop(found.insert(word(rest))),
        }
    }
    found
}

#[test]
fn no_module_imports_from_a_higher_layer() {
    let layers = layers();
    let mut upward = Vec::new();
    let mut seen = BTreeSet::new();
    for path in rust_files(Path::new("src")) {
        let module = module_of(&path);
        if ["lib", "main"].contains(&module.as_str()) {
            continue;
        }
        let own = *layers.get(&module).unwrap_or_else(|| panic!("{module} stands in no layer of the crate docs"));
        seen.insert(module.clone());
        for import in imports(&std::fs::read_to_string(&path).unwrap()) {
            match layers.get(&import) {
                Some(layer) if *layer > own => {
                    upward.push(format!("{}: {module} ({own}) → {import} ({layer})", path.display()))
                }
                _ => {}
            }
        }
    }
    assert_eq!(upward, Vec::<String>::new());
    assert_eq!(seen, layers.into_keys().collect(), "the crate docs name exactly the modules there are");
}

#[test]
fn the_sandbox_knows_nothing_of_the_service() {
    for path in rust_files(Path::new("src/sandbox")) {
        let imports = imports(&std::fs::read_to_string(&path).unwrap());
        assert!(imports.iter().all(|import| import == "sandbox"), "{}: {imports:?}", path.display());
    }
}

#[test]
fn an_upward_import_would_be_seen() {
    assert_eq!(imports("use crate::cache::Cache;"), ["cache".to_owned()].into());
    assert_eq!(imports("use crate::{card::{Card, Lead}, crm};\nfn f() { crate::http::serve() }"), {
        ["card", "crm", "http"].map(str::to_owned).into()
    });
    assert_eq!(imports("// use crate::cache::Cache;"), BTreeSet::new());
}
