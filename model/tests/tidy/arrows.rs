//! Uses among the files of a crate: an arrow from file A to file B for each item that is defined in
//! B and named in A, however many modules hand the name on. A `pub use` that only hands on draws
//! none, and neither do `mod name;` and tests. A type whose functions are spread over files below
//! its own is one thing: between these files it draws none either.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{
    Attribute, Expr, ExprMethodCall, Field, ImplItem, Item, ItemImpl, ItemUse, Local, Macro, Path,
    TraitItem, Type, Visibility,
};

use crate::modules::{Definition, Id, Modules, attributes};
use crate::syntax;

/// The names that tie each file to another.
pub(crate) type Arrows = BTreeMap<(String, String), BTreeSet<String>>;

/// The files that implement a function of a type.
type Methods = BTreeMap<(Definition, String), BTreeSet<String>>;

/// Returns the arrows of a crate.
pub(crate) fn arrows(modules: &Modules) -> Arrows {
    let methods = methods(modules);
    let mut arrows = Arrows::new();
    for (module, items) in modules.all() {
        let owner = None;
        let mut uses = Uses { modules, methods: &methods, module, owner, arrows: &mut arrows };
        items.iter().for_each(|item| uses.visit_item(item));
    }
    arrows
}

fn methods(modules: &Modules) -> Methods {
    let mut methods = Methods::new();
    for (module, items) in modules.all() {
        for item in items {
            let Item::Impl(item) = item else { continue };
            let Some(owner) = owner(modules, module, item) else { continue };
            if syntax::is_test(&item.attrs) {
                continue;
            }
            for inner in &item.items {
                let name = match inner {
                    ImplItem::Fn(inner) => &inner.sig.ident,
                    ImplItem::Const(inner) => &inner.ident,
                    _ => continue,
                };
                let files = methods.entry((owner.clone(), name.to_string())).or_default();
                files.insert(modules.file(module).to_string());
            }
        }
    }
    methods
}

/// Returns the type that an `impl` is for.
fn owner(modules: &Modules, module: Id, item: &ItemImpl) -> Option<Definition> {
    let Type::Path(path) = &*item.self_ty else { return None };
    modules.items(module, &segments(&path.path)).into_iter().next().map(|(owner, _)| owner)
}

fn segments(path: &Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
}

struct Uses<'a> {
    modules: &'a Modules<'a>,
    methods: &'a Methods,
    module: Id,
    /// Definition of `Self`.
    owner: Option<Definition>,
    arrows: &'a mut Arrows,
}

impl Uses<'_> {
    /// Draws the arrows of a path.
    fn path(&mut self, path: &[String]) {
        if let ([first, name], Some(owner)) = (path, self.owner.clone())
            && first == "Self"
        {
            return self.method(&owner, name);
        }
        for (definition, within) in self.modules.items(self.module, path) {
            let home = self.modules.file(definition.module);
            if !self.is_part_of(&definition, home) {
                self.arrow(&definition.name, home);
            }
            if let Some(name) = within {
                self.method(&definition, &name);
            }
        }
    }

    /// Draws the arrow to whoever implements a type's function, unless that is here.
    fn method(&mut self, owner: &Definition, name: &str) {
        let files = self.methods.get(&(owner.clone(), name.to_string())).into_iter().flatten();
        let home = self.modules.file(owner.module);
        for file in files {
            let is_one = self.is_part_of(owner, home) && (file == home || is_below(file, home));
            if !is_one {
                self.arrow(&format!("{}::{name}", owner.name), file);
            }
        }
    }

    /// Returns whether this file is the home of a type, or implements it below that.
    fn is_part_of(&self, definition: &Definition, home: &str) -> bool {
        let here = self.modules.file(self.module);
        let implements = self
            .methods
            .iter()
            .any(|((owner, _), files)| owner == definition && files.contains(here));
        here == home || is_below(here, home) && implements
    }

    fn macro_named(&mut self, name: &str) {
        for file in self.modules.macros.get(name).into_iter().flatten() {
            self.arrow(&format!("{name}!"), file);
        }
    }

    fn arrow(&mut self, name: &str, to: &str) {
        let from = self.modules.file(self.module);
        if from != to {
            let tie = (from.to_string(), to.to_string());
            self.arrows.entry(tie).or_default().insert(name.to_string());
        }
    }

    /// Draws the arrows of what looks like a path among the tokens that a macro gets.
    fn tokens(&mut self, stream: TokenStream) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            if let TokenTree::Group(group) = &tokens[at] {
                self.tokens(group.stream());
            }
            let path = path_at(&tokens[at..]);
            let Some(last) = path.last() else {
                at += 1;
                continue;
            };
            // Names and the colons between them, two tokens each.
            let end = at + path.len() * 3 - 2;
            let next = |distance| tokens.get(end + distance);
            if at > 0 && (punct(&tokens[at - 1], '.') || punct(&tokens[at - 1], '\'')) {
                if is_self(tokens.get(at.wrapping_sub(2))) && is_call(next(0)) {
                    self.self_call(last);
                }
            } else if next(0).is_some_and(|token| punct(token, '!'))
                && matches!(next(1), Some(TokenTree::Group(_)))
            {
                self.macro_named(last);
            } else {
                self.path(&path);
            }
            at = end;
        }
    }

    fn self_call(&mut self, name: &str) {
        if let Some(owner) = self.owner.clone() {
            self.method(&owner, name);
        }
    }
}

/// Returns whether a file's module is within another's.
fn is_below(file: &str, home: &str) -> bool {
    let module = home.strip_suffix(".rs").unwrap_or(home);
    let module = module.strip_suffix("/mod").unwrap_or(module);
    file.strip_prefix(module).is_some_and(|rest| rest.starts_with('/'))
}

/// Returns the names of the path that tokens begin with.
fn path_at(tokens: &[TokenTree]) -> Vec<String> {
    let mut path = Vec::new();
    let mut rest = tokens;
    while let [TokenTree::Ident(name), after @ ..] = rest {
        path.push(name.to_string());
        match after {
            [a, b, next @ ..] if punct(a, ':') && punct(b, ':') => rest = next,
            _ => break,
        }
    }
    path
}

fn punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

fn is_self(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Ident(name)) if name == "self")
}

fn is_call(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis)
}

impl<'ast> Visit<'ast> for Uses<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        // The items of a module are visited as that module's.
        let apart = matches!(item, Item::Mod(_)) || syntax::is_test(attributes(item));
        if !apart {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        let owner = owner(self.modules, self.module, item);
        let outer = std::mem::replace(&mut self.owner, owner);
        visit::visit_item_impl(self, item);
        self.owner = outer;
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes = match item {
            ImplItem::Fn(item) => item.attrs.as_slice(),
            ImplItem::Const(item) => &item.attrs,
            _ => &[],
        };
        if !syntax::is_test(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        let test = matches!(item, TraitItem::Fn(item) if syntax::is_test(&item.attrs));
        if !test {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_field(&mut self, field: &'ast Field) {
        if !syntax::is_test(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    fn visit_local(&mut self, local: &'ast Local) {
        if !syntax::is_test(&local.attrs) {
            visit::visit_local(self, local);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let hands_on = !matches!(item.vis, Visibility::Inherited);
        if hands_on || item.leading_colon.is_some() {
            return;
        }
        for import in syntax::imports(&item.tree).into_iter().filter(|import| import.name.is_some())
        {
            self.path(&import.path);
        }
    }

    fn visit_path(&mut self, path: &'ast Path) {
        if path.leading_colon.is_none() {
            self.path(&segments(path));
        }
        visit::visit_path(self, path);
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        if matches!(&*call.receiver, Expr::Path(receiver) if receiver.path.is_ident("self")) {
            self.self_call(&call.method.to_string());
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        if let Some(name) = call.path.segments.last() {
            self.macro_named(&name.ident.to_string());
        }
        self.tokens(call.tokens.clone());
    }

    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}
