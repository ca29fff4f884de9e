//! A look at a host, before it is judged.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use results::{OriginHost, OriginOthers};

use super::ask::{Answer, Asker};
use crate::backend;
use crate::host;
use crate::inquiry;
use crate::root::Root;
use crate::xl::{self, Call};

/// Time for which other guests are watched.
const WATCH: Duration = Duration::from_secs(1);

/// Domains besides dom0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Others {
    /// Number of them.
    pub count: usize,
    /// CPU time that they took while they were watched.
    pub took: OriginOthers,
}

/// Facts and answers.
#[derive(Debug)]
pub struct Seen {
    /// Files of the host.
    pub root: Root,
    /// Facts that a result has, too.
    pub host: OriginHost,
    /// `xl info`.
    pub info: Answer,
    /// `xl dmesg`.
    pub messages: Answer,
    /// Why `xenpm` does not tell the clock.
    pub power: Result<(), String>,
    /// Why `xl vcpu-list` does not tell where dom0's vCPUs run.
    pub affinity: Result<(), String>,
    /// Other guests.
    pub others: Result<Others, String>,
    /// Listing of dom0's block backends in xenstore.
    pub backends: Answer,
}

impl Seen {
    /// Looks at the host. Where Xen does not answer, nothing more is asked.
    ///
    /// # Errors
    /// A signal.
    pub fn look(root: Root) -> Result<Self> {
        let asker = Asker::new()?;
        let info = asker.ask(Call::info())?;
        let mut host = host::host(&root, info.as_deref().ok());
        let Ok(_) = &info else {
            let none = || "Xen was not asked".to_owned();
            return Ok(Self {
                root,
                host,
                info,
                messages: Err(none()),
                power: Err(none()),
                affinity: Err(none()),
                others: Err(none()),
                backends: Err(none()),
            });
        };
        let power = asker.ask(Call::power())?;
        if let Ok(text) = &power {
            host = host::with_xenpm(host, text);
        }
        let vcpus = asker.ask(Call::dom0_vcpu_list())?;
        if let Ok(text) = &vcpus {
            host.dom0_affinity = host::affinity(text, 0);
        }
        Ok(Self {
            root,
            host,
            info,
            messages: asker.ask(Call::messages())?,
            power: power.map(drop),
            affinity: vcpus.map(drop),
            others: others(&asker)?,
            backends: asker.ask(Call::list_nodes(&[backend::ALL.to_owned()]))?,
        })
    }
}

/// Watches other guests for a while.
fn others(asker: &Asker) -> Result<Result<Others, String>> {
    let before = match asker.ask(Call::list_all())? {
        Ok(text) => xl::cpu_times(&text),
        Err(why) => return Ok(Err(why)),
    };
    let since = Instant::now();
    if !before.keys().any(|&id| id != 0) {
        return Ok(Ok(Others::default()));
    }
    asker.pause(WATCH)?;
    let after = asker.ask(Call::list_all())?;
    Ok(after.map(|text| between(&before, &xl::cpu_times(&text), since.elapsed())))
}

fn between(before: &BTreeMap<u32, f64>, after: &BTreeMap<u32, f64>, time: Duration) -> Others {
    let took = inquiry::taken(before, after, 0, time.as_secs_f64());
    Others { count: after.keys().filter(|&&id| id != 0).count(), took }
}
