//! Nothing but what is in `benches/`: `fs` measured against other readers of FFS.
