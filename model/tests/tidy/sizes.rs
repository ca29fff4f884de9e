//! Files and functions are small, and a file says what it is.

use syn::visit::{self, Visit};
use syn::{ImplItemFn, ItemFn, Signature, TraitItemFn, token};

use crate::syntax::parse;
use crate::tree::packages;

const LINES_MAX: usize = 600;
const COLUMNS_MAX: usize = 100;

/// From the line of `fn` to that of the closing brace.
const FUNCTION_LINES_MAX: usize = 70;

/// Returns what is wrong with the size of a file.
fn file_faults(path: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if !text.starts_with("//!") {
        faults.push(format!("{path}: does not begin with //!"));
    }
    if text.lines().count() > LINES_MAX {
        faults.push(format!("{path}: longer than {LINES_MAX} lines"));
    }
    for (number, line) in text.lines().enumerate() {
        // A string is not to be torn apart for the sake of its width.
        if line.chars().count() > COLUMNS_MAX && !line.contains('"') {
            faults.push(format!("{path}:{}: wider than {COLUMNS_MAX}", number + 1));
        }
    }
    faults
}

/// A function's name, first line and length in lines.
#[derive(Debug, PartialEq)]
struct Function {
    name: String,
    line: usize,
    lines: usize,
}

/// The functions of a file, also those within others; not those that a macro makes.
#[derive(Default)]
struct Functions(Vec<Function>);

impl Functions {
    fn of(file: &syn::File) -> Vec<Function> {
        let mut functions = Self::default();
        functions.visit_file(file);
        functions.0
    }

    fn add(&mut self, signature: &Signature, body: &token::Brace) {
        let line = signature.fn_token.span.start().line;
        let lines = body.span.close().end().line + 1 - line;
        self.0.push(Function { name: signature.ident.to_string(), line, lines });
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.add(&item.sig, &item.block.brace_token);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.add(&item.sig, &item.block.brace_token);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        if let Some(body) = &item.default {
            self.add(&item.sig, &body.brace_token);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

#[test]
fn files_are_small_and_say_what_they_are() {
    let packages = packages();
    let files = packages.iter().flat_map(|package| &package.files);
    let faults: Vec<String> = files.flat_map(|(path, text)| file_faults(path, text)).collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn functions_are_small() {
    let mut offenders = Vec::new();
    let (mut count, mut longest) = (0, 0);
    for package in packages() {
        for (path, file) in parse(&package.files) {
            for Function { name, line, lines } in Functions::of(&file) {
                count += 1;
                longest = longest.max(lines);
                if lines > FUNCTION_LINES_MAX {
                    offenders.push(format!("{path}:{line}: {name} has {lines} lines"));
                }
            }
        }
    }
    println!("{count} functions, the longest of {longest} lines");
    assert!(offenders.is_empty(), "{offenders:#?}");
}

#[test]
fn long_and_wide_files_are_found() {
    assert!(file_faults("a.rs", "//! A file.\n").is_empty());
    assert_eq!(file_faults("a.rs", "\n//! A file.\n"), ["a.rs: does not begin with //!"]);
    let long = format!("//! A file.\n{}", "\n".repeat(LINES_MAX));
    assert_eq!(file_faults("a.rs", &long), ["a.rs: longer than 600 lines"]);
    let wide = format!("//! A file.\n// {}", "x".repeat(COLUMNS_MAX - 2));
    assert_eq!(file_faults("a.rs", &wide), ["a.rs:2: wider than 100"]);
}

#[test]
fn a_function_is_measured_from_fn_to_its_brace() {
    let body = "\n    g();".repeat(69);
    let text = format!("/// Calls.\n#[inline]\nfn f() {{{body}\n}}\n");
    let file = syn::parse_file(&text).unwrap();
    assert_eq!(Functions::of(&file), [Function { name: "f".into(), line: 3, lines: 71 }]);
    let inner = "impl A {\n fn f() {\n  fn g() {\n  }\n }\n}\ntrait T {\n fn h();\n fn i() {}\n}";
    let functions = Functions::of(&syn::parse_file(inner).unwrap());
    let found: Vec<_> = functions.iter().map(|f| (f.name.as_str(), f.line, f.lines)).collect();
    assert_eq!(found, [("f", 2, 4), ("g", 3, 2), ("i", 9, 1)]);
}
