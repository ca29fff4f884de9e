//! Hosts of a result, for reading.

use results::{FleetHost, FleetSum};

use super::merge::is_of;

/// Returns the sums of hosts over the job and direction of this one, with the hosts.
pub fn sums_of<'a>(
    whole: &'a FleetSum,
    hosts: &'a [FleetHost],
) -> impl Iterator<Item = (&'a FleetHost, &'a FleetSum)> {
    let is_part =
        |sum: &&FleetSum| sum.jobname == whole.jobname && sum.direction == whole.direction;
    hosts.iter().filter_map(move |host| Some((host, host.sums.iter().find(is_part)?)))
}

/// Returns whether a guest was on a host that is lost.
pub fn is_of_lost(guest: &str, hosts: &[FleetHost]) -> bool {
    hosts.iter().any(|host| host.lost.is_some() && is_of(guest, host))
}

/// Returns what there is to say of a host, in a line.
pub fn line(host: &FleetHost) -> String {
    let ms = |ns: f64| ns / 1e6;
    let mut parts = Vec::new();
    parts.extend(host.lost.as_ref().map(|why| format!("lost: {why}")));
    if let (Some(offset_ns), Some(error_ns)) = (host.clock_offset_ns, host.clock_error_ns) {
        let (offset, error) = (ms(offset_ns as f64), ms(error_ns as f64));
        parts.push(format!("clock {offset:+.3} ms off ours, within {error:.3} ms"));
    }
    if let (Some(late_ns), Some(write_ns)) = (host.late_ns, host.write_ns) {
        let (late, write) = (ms(late_ns as f64), ms(write_ns as f64));
        parts.push(format!(
            "guests told {late:.3} ms after the agreed time, which took {write:.3} ms"
        ));
    }
    let spreads = host.sums.iter().filter_map(|sum| sum.start_spread_ns);
    parts.extend(spreads.max().map(|ns| format!("begun within {:.3} ms", ms(ns as f64))));
    if parts.is_empty() {
        parts.push("no guest was started".to_owned());
    }
    format!("host {}: {}\n", host.host, parts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_a_line() {
        let mut host = FleetHost { host: "root@a".into(), guests: 2, ..FleetHost::default() };
        assert_eq!(line(&host), "host root@a: no guest was started\n");
        (host.clock_offset_ns, host.clock_error_ns) = (Some(-1_234_567), Some(89_000));
        (host.late_ns, host.write_ns) = (Some(12_000), Some(2_100_000));
        let sum = |ns| FleetSum { start_spread_ns: Some(ns), ..FleetSum::default() };
        host.sums = vec![sum(5), sum(400_000)];
        let expected = "host root@a: clock -1.235 ms off ours, within 0.089 ms; guests told 0.012 \
                        ms after the agreed time, which took 2.100 ms; begun within 0.400 ms\n";
        assert_eq!(line(&host), expected);
        host = FleetHost { lost: Some("it hung up".into()), ..FleetHost::default() };
        assert_eq!(line(&host), "host : lost: it hung up\n");
    }
}
