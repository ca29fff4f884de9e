//! Parts of Rust's syntax that the rules ask for: parsed files, what is a test's, the paths of a
//! `use`.

use std::collections::BTreeMap;

use proc_macro2::{TokenStream, TokenTree};
use syn::{Attribute, UseTree};

/// The parsed files of a crate, by path.
pub(crate) type Parsed = BTreeMap<String, syn::File>;

/// Parses files. Panics, with the path, at one that is not Rust.
pub(crate) fn parse<'a>(files: impl IntoIterator<Item = (&'a String, &'a String)>) -> Parsed {
    let parsed = files.into_iter().map(|(path, text)| {
        let file = syn::parse_file(text).unwrap_or_else(|error| {
            panic!("{path}:{}: {error}", error.span().start().line);
        });
        (path.clone(), file)
    });
    parsed.collect()
}

/// Returns whether attributes leave an item to the tests: `#[test]`, `#[cfg(test)]`, or `all` with
/// `test` among its conditions.
pub(crate) fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || attribute.path().is_ident("cfg")
                && attribute.meta.require_list().is_ok_and(|list| needs_test(list.tokens.clone()))
    })
}

fn needs_test(condition: TokenStream) -> bool {
    let mut tokens = condition.into_iter();
    match (tokens.next(), tokens.next()) {
        (Some(TokenTree::Ident(name)), None) => name == "test",
        (Some(TokenTree::Ident(name)), Some(TokenTree::Group(conditions))) if name == "all" => {
            conditions
                .stream()
                .into_iter()
                .any(|token| matches!(token, TokenTree::Ident(condition) if condition == "test"))
        }
        _ => false,
    }
}

/// A path that a `use` takes, and the name that it gives; a glob gives none.
pub(crate) struct Import {
    pub(crate) path: Vec<String>,
    pub(crate) name: Option<String>,
}

/// Returns what the tree of a `use` takes.
pub(crate) fn imports(tree: &UseTree) -> Vec<Import> {
    let mut found = Vec::new();
    collect(tree, &[], &mut found);
    found
}

fn collect(tree: &UseTree, prefix: &[String], found: &mut Vec<Import>) {
    let below = |name: &dyn ToString| [prefix, &[name.to_string()]].concat();
    match tree {
        UseTree::Path(path) => collect(&path.tree, &below(&path.ident), found),
        UseTree::Group(group) => group.items.iter().for_each(|tree| collect(tree, prefix, found)),
        UseTree::Name(name) if name.ident == "self" => {
            found.push(Import { path: prefix.to_vec(), name: prefix.last().cloned() });
        }
        UseTree::Name(name) => {
            found.push(Import { path: below(&name.ident), name: Some(name.ident.to_string()) });
        }
        UseTree::Rename(rename) => {
            let path = if rename.ident == "self" { prefix.to_vec() } else { below(&rename.ident) };
            found.push(Import { path, name: Some(rename.rename.to_string()) });
        }
        UseTree::Glob(_) => found.push(Import { path: prefix.to_vec(), name: None }),
    }
}
