//! The modules of a crate: in which file each stands, and what each name in it stands for.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};
use syn::{Attribute, Expr, Item, ItemMacro, ItemMod, ItemUse, Lit, Meta};

use crate::syntax::{self, Parsed};

/// The number of a module.
pub(crate) type Id = usize;

/// The modules of all targets of a crate.
#[derive(Default)]
pub(crate) struct Modules<'a> {
    modules: Vec<Module<'a>>,
    /// Name of the library, and its root module.
    lib_name: Option<(String, Id)>,
    /// The files that define a macro, by its name.
    pub(crate) macros: BTreeMap<String, BTreeSet<String>>,
}

struct Module<'a> {
    file: String,
    parent: Option<Id>,
    items: &'a [Item],
    names: BTreeMap<String, Vec<Meaning>>,
    /// The paths of `use path::*`.
    globs: Vec<Vec<String>>,
}

#[derive(Clone)]
enum Meaning {
    Item,
    Module(Id),
    /// Path that a `use` takes from elsewhere.
    Path(Vec<String>),
}

/// An item that is no module: where it is defined.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Definition {
    pub(crate) module: Id,
    pub(crate) name: String,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    Module(Id),
    /// An item, and what the path names within it: a variant, a function.
    Item(Definition, Option<String>),
}

/// A place in the search that must not be searched again: module and name.
type Seen = BTreeSet<(Id, String)>;

impl<'a> Modules<'a> {
    /// Reads the modules below each root. A library among them is called `lib_name`.
    pub(crate) fn new(parsed: &'a Parsed, roots: &[String], lib_name: &str) -> Self {
        let mut modules = Self::default();
        for root in roots {
            let items = &parsed[root].items;
            let id = modules.add(root, None, items);
            if root.ends_with("/lib.rs") {
                modules.lib_name = Some((lib_name.replace('-', "_"), id));
            }
            let (directory, _) = root.rsplit_once('/').unwrap_or_default();
            modules.read(parsed, id, directory, items);
        }
        modules
    }

    /// Returns the files that some module stands in.
    pub(crate) fn files(&self) -> BTreeSet<&str> {
        self.modules.iter().map(|module| module.file.as_str()).collect()
    }

    /// Returns the file that a module stands in.
    pub(crate) fn file(&self, id: Id) -> &str {
        &self.modules[id].file
    }

    /// Returns each module with what stands in it.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Id, &'a [Item])> {
        self.modules.iter().map(|module| module.items).enumerate()
    }

    /// Returns the items that a path in module `id` may mean, each with the name that the path has
    /// within it.
    pub(crate) fn items(&self, id: Id, path: &[String]) -> Vec<(Definition, Option<String>)> {
        let targets = self.resolve(id, path, &mut Seen::new());
        let items = targets.into_iter().filter_map(|target| match target {
            Target::Item(definition, within) => Some((definition, within)),
            Target::Module(_) => None,
        });
        items.collect()
    }

    fn resolve(&self, id: Id, path: &[String], seen: &mut Seen) -> BTreeSet<Target> {
        let Some((first, rest)) = path.split_first() else { return [Target::Module(id)].into() };
        let mut targets = match first.as_str() {
            "crate" => [Target::Module(self.root(id))].into(),
            "self" => [Target::Module(id)].into(),
            "super" => self.modules[id].parent.map(Target::Module).into_iter().collect(),
            name => self.lookup(id, name, seen),
        };
        if targets.is_empty()
            && let Some((_, root)) = self.lib_name.as_ref().filter(|(name, _)| name == first)
        {
            targets.insert(Target::Module(*root));
        }
        for segment in rest {
            let step = |target| match target {
                Target::Module(id) if segment == "super" => {
                    self.modules[id].parent.map(Target::Module).into_iter().collect()
                }
                Target::Module(id) => self.lookup(id, segment, seen),
                Target::Item(item, None) => [Target::Item(item, Some(segment.clone()))].into(),
                item => [item].into(),
            };
            targets = targets.into_iter().flat_map(step).collect();
        }
        targets
    }

    fn root(&self, mut id: Id) -> Id {
        while let Some(parent) = self.modules[id].parent {
            id = parent;
        }
        id
    }

    fn lookup(&self, id: Id, name: &str, seen: &mut Seen) -> BTreeSet<Target> {
        let mut targets = BTreeSet::new();
        if !seen.insert((id, name.to_string())) {
            return targets;
        }
        let module = &self.modules[id];
        for meaning in module.names.get(name).into_iter().flatten() {
            match meaning {
                Meaning::Module(child) => {
                    targets.insert(Target::Module(*child));
                }
                Meaning::Item => {
                    let definition = Definition { module: id, name: name.to_string() };
                    targets.insert(Target::Item(definition, None));
                }
                Meaning::Path(path) => targets.extend(self.resolve(id, path, &mut seen.clone())),
            }
        }
        if targets.is_empty() {
            for glob in &module.globs {
                for target in self.resolve(id, glob, &mut seen.clone()) {
                    if let Target::Module(from) = target {
                        targets.extend(self.lookup(from, name, &mut seen.clone()));
                    }
                }
            }
        }
        targets
    }

    fn add(&mut self, file: &str, parent: Option<Id>, items: &'a [Item]) -> Id {
        let (file, names, globs) = (file.to_string(), BTreeMap::new(), Vec::new());
        self.modules.push(Module { file, parent, items, names, globs });
        self.modules.len() - 1
    }

    fn name(&mut self, id: Id, name: &dyn ToString, meaning: Meaning) {
        self.modules[id].names.entry(name.to_string()).or_default().push(meaning);
    }

    /// Reads the items of a module whose children's files are in `directory`.
    fn read(&mut self, parsed: &'a Parsed, id: Id, directory: &str, items: &'a [Item]) {
        for item in items {
            if syntax::is_test(attributes(item)) {
                continue;
            }
            if let Item::Mod(item) = item {
                self.read_module(parsed, id, directory, item);
            } else {
                if let Some(name) = defined(item) {
                    self.name(id, &name, Meaning::Item);
                }
                Inner { modules: self, id }.visit_item(item);
            }
        }
    }

    fn read_module(&mut self, parsed: &'a Parsed, id: Id, directory: &str, item: &'a ItemMod) {
        let file = self.modules[id].file.clone();
        let below = format!("{directory}/{}", item.ident);
        if let Some((_, items)) = &item.content {
            let child = self.add(&file, Some(id), items);
            self.name(id, &item.ident, Meaning::Module(child));
            self.read(parsed, child, &below, items);
            return;
        }
        let mut candidates = vec![format!("{below}.rs"), format!("{below}/mod.rs")];
        if let Some(path) = path_attribute(&item.attrs) {
            let (home, _) = file.rsplit_once('/').unwrap_or_default();
            candidates = vec![normalized(&format!("{home}/{path}"))];
        }
        // A file of another crate is that crate's to check.
        let Some(file) = candidates.iter().find(|file| parsed.contains_key(*file)) else { return };
        let items = &parsed[file].items;
        let child = self.add(file, Some(id), items);
        self.name(id, &item.ident, Meaning::Module(child));
        self.read(parsed, child, &below, items);
    }
}

/// The visitor for what an item may hold anywhere: `use` and `macro_rules`.
struct Inner<'m, 'a> {
    modules: &'m mut Modules<'a>,
    id: Id,
}

impl<'ast> Visit<'ast> for Inner<'_, '_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !syntax::is_test(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        // `::name` is another crate.
        if item.leading_colon.is_some() {
            return;
        }
        for import in syntax::imports(&item.tree) {
            match import.name {
                Some(name) => self.modules.name(self.id, &name, Meaning::Path(import.path)),
                None => self.modules.modules[self.id].globs.push(import.path),
            }
        }
    }

    fn visit_item_macro(&mut self, item: &'ast ItemMacro) {
        if let Some(name) = &item.ident {
            let file = self.modules.file(self.id).to_string();
            self.modules.macros.entry(name.to_string()).or_default().insert(file);
        }
    }
}

/// Returns the attributes of an item.
pub(crate) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Returns the name that an item defines in its module.
fn defined(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(meta) if meta.path.is_ident("path") => match &meta.value {
            Expr::Lit(value) => match &value.lit {
                Lit::Str(path) => Some(path.value()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    })
}

fn normalized(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.join("/")
}
