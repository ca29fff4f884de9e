//! One list for all vCPUs.

use core::sync::atomic::Ordering::Relaxed;

use protocols::Atomic;

use super::{END, FreeHandles, Records};
use crate::config::Config;
use crate::cpu::{Cpu, Rank};
use crate::lock::Lock;
use crate::values::Handle;
use crate::words::Words;

/// One list, and its lock.
#[derive(Debug)]
pub struct OneList<W: Words, L> {
    lock: L,
    head: W::U32,
    /// Frames that are in use.
    frames: W::U32,
    config: Config,
}

impl<W: Words, L: Lock<W>> FreeHandles<W> for OneList<W, L> {
    fn new(config: &Config) -> Self {
        let head = W::U32::default();
        head.store(END, Relaxed);
        Self { lock: L::default(), head, frames: W::U32::default(), config: *config }
    }

    #[inline]
    fn get(&self, cpu: &mut Cpu, records: &Records<W>) -> Option<Handle> {
        self.lock.hold(Rank::Maptrack, cpu, |_| {
            let mut head = self.head.load(Relaxed);
            if head == END {
                let frame = self.frames.load(Relaxed);
                if frame == self.config.handle_frames_max {
                    return None;
                }
                (head, _) = records.link(&self.config, frame, 0);
                self.frames.store(frame + 1, Relaxed);
            }
            self.head.store(records.next(head), Relaxed);
            Some(Handle(head))
        })
    }

    #[inline]
    fn put(&self, cpu: &mut Cpu, records: &Records<W>, handle: Handle) {
        self.lock.hold(Rank::Maptrack, cpu, |_| {
            records.set_next(handle.0, self.head.load(Relaxed));
            self.head.store(handle.0, Relaxed);
        });
    }
}
