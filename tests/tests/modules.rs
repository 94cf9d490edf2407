//! No circles: of two modules at most one uses the other, also by way of further ones. A module and
//! those within it are one subject, so that what is within may use what is around it.

#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

use lvmbeat_tests::project;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

type Module = Vec<String>;

/// Which modules each module of a crate names.
type Uses = BTreeMap<Module, BTreeSet<Module>>;

/// The product's code of each module: without comments and tests.
fn sources(folder: &Path) -> BTreeMap<Module, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![(folder.to_owned(), Module::new())];
    while let Some((folder, module)) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let mut module = module.clone();
            if !["lib", "main", "mod"].contains(&name.as_str()) {
                module.push(name);
            }
            if path.is_dir() {
                folders.push((path, module));
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
                let lines = code.lines().map(|line| line.split("//").next().unwrap());
                found.insert(module, lines.collect::<Vec<_>>().join(" "));
            }
        }
    }
    found.retain(|module, _| !module.iter().any(|name| name == "tests"));
    found
}

/// `a::{b, c::{d, e}}` as `a::b`, `a::c::d`, `a::c::e`.
fn expanded(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((before, group)) = tree.split_once('{') else {
        return vec![tree.split(" as ").next().unwrap().to_owned()];
    };
    let group = group.strip_suffix('}').unwrap();
    let mut depth = 0;
    let parts = group.split(|c: char| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    let parts = parts.filter(|part| !part.trim().is_empty());
    parts
        .flat_map(expanded)
        .map(|part| format!("{before}{part}"))
        .collect()
}

/// All paths, and whether it is handed on: those of `use`, and those in the code that begin with
/// `crate` or `super`.
fn paths(code: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let mut rest = String::new();
    let is_use = |before: &str| {
        let before = before.trim();
        !before.contains('{')
            && (before.is_empty() || before.ends_with([')', ']']) || before.ends_with("pub"))
    };
    for statement in code.split_inclusive(';') {
        match statement.split_once("use ") {
            Some((before, tree)) if is_use(before) => {
                let handed_on = before.contains("pub");
                let paths = expanded(tree.trim_end_matches(';')).into_iter();
                found.extend(paths.map(|path| (path, handed_on)));
            }
            _ => rest.push_str(statement),
        }
    }
    let words = rest.split(|c: char| !(c.is_alphanumeric() || "_:".contains(c)));
    let is_path = |word: &&str| word.starts_with("crate::") || word.starts_with("super::");
    found.extend(words.filter(is_path).map(|word| (word.to_owned(), false)));
    found
}

/// The module that a path within another leads to, and the name in it.
fn target(
    path: &str,
    from: &Module,
    modules: &BTreeMap<Module, String>,
) -> Option<(Module, String)> {
    let path = path.strip_prefix("self::").unwrap_or(path);
    let mut names: Vec<_> = path.split("::").map(str::trim).collect();
    let mut base = from.clone();
    if names[0] == "crate" {
        base.clear();
        names.remove(0);
    } else {
        let mut within = base.clone();
        within.push(names[0].to_owned());
        if names[0] != "super" && !modules.contains_key(&within) {
            return None;
        }
        while names.first() == Some(&"super") {
            base.pop();
            names.remove(0);
        }
    }
    for name in names {
        base.push(name.to_owned());
        if !modules.contains_key(&base) {
            base.pop();
            return Some((base, name.to_owned()));
        }
    }
    Some((base, String::new()))
}

fn uses(modules: &BTreeMap<Module, String>) -> Uses {
    let mut uses = Vec::new();
    let mut handed_on = BTreeMap::new();
    for (module, code) in modules {
        for (path, on) in paths(code) {
            if let Some((target, name)) = target(&path, module, modules) {
                // What is only handed on is not used there.
                if on {
                    handed_on.insert((module.clone(), name), target);
                } else {
                    uses.push((module, (target, name)));
                }
            }
        }
    }
    let mut found = Uses::new();
    for (module, (mut target, name)) in uses {
        // Where it comes from.
        while let Some(further) = handed_on.get(&(target.clone(), name.clone()))
            && *further != target
        {
            target.clone_from(further);
        }
        if !module.starts_with(&target) {
            found.entry(module.clone()).or_default().insert(target);
        }
    }
    found
}

/// What remains if each module that uses none of the rest, or is used by none, is taken away, again
/// and again.
fn circles(mut uses: Uses) -> Uses {
    loop {
        let left: BTreeSet<Module> = uses.keys().cloned().collect();
        let reached: BTreeSet<Module> = uses.values().flatten().cloned().collect();
        uses.retain(|module, targets| {
            targets.retain(|target| left.contains(target));
            !targets.is_empty() && reached.contains(module)
        });
        if uses.len() == left.len() {
            return uses;
        }
    }
}

#[test]
fn no_two_modules_use_each_other() {
    for package in ["core", "host", "sim"] {
        let folder = project(&format!("{package}/src"));
        let uses = uses(&sources(&folder));
        let seen: usize = uses.values().map(BTreeSet::len).sum();
        assert!(seen > 10, "{package}: only {seen} uses were found");
        let circles = circles(uses);
        assert!(circles.is_empty(), "{package}: {circles:#?}");
    }
}

#[test]
fn a_circle_is_found() {
    let code = [
        ("a", "use super::b::{X, Y};"),
        ("b", "fn f() { crate::c::g() }"),
        ("c", "use crate::a;"),
        ("d", "use crate::{a, b::{X, Y}};"),
    ];
    let mut modules: BTreeMap<_, _> = code
        .map(|(name, code)| (vec![name.to_owned()], code.to_owned()))
        .into();
    let names = |uses: Uses| uses.into_keys().flatten().collect::<String>();
    assert_eq!(names(circles(uses(&modules))), "abc");
    modules.insert(vec!["c".to_owned()], String::new());
    assert_eq!(names(circles(uses(&modules))), "");
}
