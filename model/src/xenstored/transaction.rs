//! Transactions: each works on a view of the tree and commits only if nothing that it read or
//! wrote has changed since.

use std::collections::{BTreeMap, BTreeSet};

use xen_abi::xenstore::Header;

use super::tree::{EAGAIN, ENOENT, ENOSPC, Refusal, Tree};

/// xenstored's default quota for a domain.
const OPEN_MAX: usize = 10;

/// A request to be done again at the commit: header, path, what follows the path.
type Change = (Header, String, Vec<u8>);

/// One transaction.
#[derive(Debug)]
pub struct Transaction {
    base: Tree,
    view: Tree,
    touched: BTreeSet<String>,
    changes: Vec<Change>,
}

/// Transactions that are open.
#[derive(Debug, Default)]
pub struct Transactions {
    open: BTreeMap<u32, Transaction>,
    last: u32,
}

impl Transactions {
    pub(super) fn start(&mut self, tree: &Tree) -> Result<u32, Refusal> {
        if self.open.len() >= OPEN_MAX {
            return Err(ENOSPC);
        }
        self.last += 1;
        let transaction = Transaction {
            base: tree.clone(),
            view: tree.clone(),
            touched: BTreeSet::new(),
            changes: Vec::new(),
        };
        self.open.insert(self.last, transaction);
        Ok(self.last)
    }

    /// The tree as this transaction sees it, for an access to `path`.
    pub(super) fn view(&mut self, number: u32, path: &str) -> Result<&mut Tree, Refusal> {
        let transaction = self.open.get_mut(&number).ok_or(ENOENT)?;
        transaction.touched.insert(path.to_string());
        Ok(&mut transaction.view)
    }

    pub(super) fn record(&mut self, number: u32, header: Header, path: &str, rest: &[u8]) {
        let transaction = self.open.get_mut(&number).expect("its view was just used");
        transaction.changes.push((header, path.to_string(), rest.to_vec()));
    }

    pub(super) fn end(&mut self, number: u32) -> Result<Transaction, Refusal> {
        self.open.remove(&number).ok_or(ENOENT)
    }

    pub(super) fn open(&self) -> usize {
        self.open.len()
    }
}

impl Transaction {
    /// The nodes that it used.
    pub(super) fn touched(&self) -> impl Iterator<Item = &str> {
        self.touched.iter().map(String::as_str)
    }

    /// Returns an error unless the transaction may be committed to `tree`.
    pub(super) fn check(&self, tree: &Tree) -> Result<(), Refusal> {
        let unchanged = |path: &String| tree.generation(path) == self.base.generation(path);
        if self.touched.iter().all(unchanged) { Ok(()) } else { Err(EAGAIN) }
    }

    /// Its changes, in order.
    pub(super) fn changes(&self) -> impl Iterator<Item = (&Header, &str, &[u8])> {
        self.changes.iter().map(|(header, path, rest)| (header, path.as_str(), rest.as_slice()))
    }
}
