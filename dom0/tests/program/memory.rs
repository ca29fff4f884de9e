//! Memory of guests: what it is by default, and when it is refused.

use crate::stack::Stack;

#[test]
fn a_guest_has_memory_for_its_job() {
    let stack = Stack::new("a_guest_has_memory_for_its_job", "");
    let run = |words: &[&str]| stack.run(&[&["run", "job.fio", "--dry-run"], words].concat());
    let (_, small, _) = run(&[]);
    assert!(small.contains("\nmemory = 64\n") && small.contains("\n# memory: needs 5 MiB\n"));
    let (code, large, _) = run(&["--set=max_grant_frames=80", "--", "--bs=16m", "--iodepth=8"]);
    let needs = large.lines().find_map(|line| line.strip_prefix("# memory: needs ")).unwrap();
    // Of the least and the most.
    let most = needs.split_whitespace().rfind(|word| word.parse::<u32>().is_ok());
    assert_eq!(code, Some(0), "{large}");
    assert!(large.contains(&format!("\nmemory = {}\n", most.unwrap())), "{large}");
    let (code, _, stderr) = run(&["--memory=16", "--", "--bs=16m", "--iodepth=8"]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("--memory=16 is not enough: the jobs need "), "{stderr}");
}

#[test]
fn a_guest_without_room_for_its_page_tables_is_explained() {
    let stack = Stack::new("a_guest_without_room_for_its_page_tables_is_explained", "");
    stack.write("refuse", "xc: error: could not allocate special pages: Internal error\n");
    let (code, _, stderr) = stack.run(&["run", "job.fio"]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("too little memory for this guest's page tables; raise --memory"));
    assert!(stderr.contains("could not allocate special pages"), "{stderr}");
    assert!(stack.calls().contains(" vcpus=1 "), "{}", stack.calls());
}
