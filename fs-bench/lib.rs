//! Nothing but what is in `benches/` and `examples/`: `fs` measured against other readers of FFS,
//! and compared with them.
