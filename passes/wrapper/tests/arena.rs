//! The planner on its own: published instances, random ones, and plans shown to be least by trying
//! everything.

use std::{fs, path::PathBuf};

use wrapper_passes::arena::{
    Item, Limits, Named, Plan, first_fit_by_size, lower_bound, plan, read_csv, write_csv,
};

/// What makes a plan wrong. Written without the planner's own notions: it looks at every pair and
/// every moment.
fn fault(items: &[Item], plan: &Plan) -> Option<String> {
    if plan.offsets.len() != items.len() {
        return Some("not one offset per item".to_owned());
    }
    for (i, a) in items.iter().enumerate() {
        let (bottom, top) = (plan.offsets[i], plan.offsets[i] + a.size);
        if bottom < 0 || plan.height < top {
            return Some(format!("item {i} lies at {bottom}..{top} of {}", plan.height));
        }
        for (j, b) in items.iter().enumerate().take(i) {
            let together = (a.start.max(b.start)..a.end.min(b.end)).next().is_some();
            let apart = top <= plan.offsets[j] || plan.offsets[j] + b.size <= bottom;
            if together && !apart {
                return Some(format!("items {j} and {i} overlap"));
            }
        }
    }
    None
}

fn check(items: &[Item], limits: Limits) -> Plan {
    let plan = plan(items, limits);
    assert_eq!(fault(items, &plan), None);
    assert!(lower_bound(items) <= plan.height);
    plan
}

fn instance(name: &str) -> Vec<Item> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/plans");
    let text = fs::read_to_string(folder.join(name)).expect("the instances are in the repository");
    let items = read_csv(&text).expect("they are well formed");
    items.iter().map(|it| it.item).collect()
}

fn fits(name: &str, capacity: i64) {
    let items = instance(name);
    let plan = check(&items, Limits { capacity: Some(capacity), ..Limits::default() });
    assert!(plan.height <= capacity, "{name}: {} > {capacity}", plan.height);
}

#[test]
fn the_small_instance_is_planned_at_its_capacity() {
    fits("example.12.csv", 12);
    let items = instance("example.12.csv");
    let plan = check(&items, Limits { capacity: Some(11), ..Limits::default() });
    assert!(plan.height == 12 && plan.is_exact);
}

/// Those that take hundreds of thousands of steps are for optimised builds and the benchmark.
#[test]
fn published_instances_are_planned_at_their_capacity() {
    let quick = ["F", "J"];
    let all = ["A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K"];
    let names: &[&str] = if cfg!(debug_assertions) { &quick } else { &all };
    for it in names {
        fits(&format!("{it}.1048576.csv"), 1_048_576);
    }
}

#[test]
fn the_checker_sees_an_overlap_of_one_byte() {
    let items = [Item { start: 0, end: 2, size: 8 }, Item { start: 1, end: 3, size: 8 }];
    let mut plan = check(&items, Limits::default());
    assert_eq!(plan.height, 16);
    let low = plan.offsets.iter_mut().max().unwrap();
    *low -= 1;
    assert_eq!(fault(&items, &plan).as_deref(), Some("items 0 and 1 overlap"));
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) % n
    }

    fn items(&mut self, count: u64, times: u64, sizes: u64) -> Vec<Item> {
        (0..count)
            .map(|_| {
                let start = self.below(times) as i64;
                let end = start + 1 + self.below(times / 2) as i64;
                Item { start, end, size: 64 * self.below(sizes) as i64 }
            })
            .collect()
    }
}

/// The least height, by first fit in every order: every placement in which nothing can sink is
/// first fit in the order of its offsets.
fn least(items: &[Item]) -> i64 {
    fn go(items: &[Item], placed: &mut Vec<(usize, i64)>, best: &mut i64) {
        let height = placed.iter().map(|it| items[it.0].size + it.1).max().unwrap_or(0);
        if *best <= height {
            return;
        }
        if placed.len() == items.len() {
            *best = height;
            return;
        }
        for i in 0..items.len() {
            if placed.iter().any(|it| it.0 == i) {
                continue;
            }
            let mut at = 0;
            while let Some(other) = placed.iter().find(|it| {
                let b = &items[it.0];
                items[i].meets(b) && at < it.1 + b.size && it.1 < at + items[i].size
            }) {
                at = other.1 + items[other.0].size;
            }
            placed.push((i, at));
            go(items, placed, best);
            placed.pop();
        }
    }
    let mut best = i64::MAX;
    go(items, &mut Vec::new(), &mut best);
    best
}

#[test]
fn small_plans_are_least() {
    let mut random = Random(1);
    for _ in 0..60 {
        let items = random.items(6, 8, 6);
        let plan = check(&items, Limits::default());
        let least = least(&items);
        assert!(plan.is_exact);
        assert_eq!(plan.height, least, "{items:?}");
    }
}

/// Eight things of which never more than 6 live, and no way to do with less than 7.
#[test]
fn the_least_height_may_be_above_the_bound() {
    let all =
        [(6, 7, 3), (1, 2, 3), (5, 7, 3), (0, 1, 3), (3, 6, 2), (3, 5, 2), (4, 6, 1), (1, 4, 2)];
    let items: Vec<Item> =
        all.iter().map(|it| Item { start: it.0, end: it.1, size: it.2 }).collect();
    let plan = check(&items, Limits::default());
    assert_eq!((plan.lower_bound, plan.height, plan.is_exact), (6, 7, true));
    assert_eq!(least(&items), 7);
}

#[test]
fn plans_of_many_items_are_sound_and_no_worse_than_first_fit() {
    let mut random = Random(2);
    for round in 0..20 {
        let items = random.items(40 + round * 10, 60, 40);
        let plan = check(&items, Limits { steps: 2_000, ..Limits::default() });
        let offsets = first_fit_by_size(&items);
        let fit = items.iter().zip(&offsets).map(|it| it.0.size + it.1).max().unwrap();
        assert!(plan.height <= fit);
    }
}

#[test]
fn the_same_items_give_the_same_plan() {
    let items = Random(3).items(120, 60, 40);
    let limits = Limits { steps: 5_000, ..Limits::default() };
    assert_eq!(plan(&items, limits), plan(&items, limits));
}

#[test]
fn items_without_size_or_life_take_no_room() {
    let items = [
        Item { start: 0, end: 4, size: 0 },
        Item { start: 2, end: 2, size: 640 },
        Item { start: 0, end: 4, size: 64 },
    ];
    let plan = plan(&items, Limits::default());
    assert_eq!((plan.height, plan.offsets.len()), (64, 3));
}

#[test]
fn text_is_read_and_written() {
    let text = "id,lower,upper,size\nb1,0,3,4\nb2,3,9,4\n";
    let items = read_csv(text).unwrap();
    assert_eq!(items[1], Named { id: "b2".to_owned(), item: Item { start: 3, end: 9, size: 4 } });
    assert_eq!(write_csv(&items, None), text);
    let planned = write_csv(&items, Some(&[0, 8]));
    assert_eq!(planned, "id,lower,upper,size,offset\nb1,0,3,4,0\nb2,3,9,4,8\n");
    assert_eq!(read_csv(&planned).unwrap(), items);
    assert_eq!(read_csv("size, id, upper, lower\r\n4, x, 2, 1\r\n").unwrap()[0].item.size, 4);
}

#[test]
fn broken_text_is_an_error_with_a_line() {
    let cases = [
        ("", "there is no line that names the columns"),
        ("id,lower,upper\n", "line 1: no column is called size"),
        ("id,lower,upper,size,size\n", "line 1: two columns are called size"),
        (
            "id,lower,upper,size,alignment\n",
            "line 1: column alignment is not one of id, lower, upper, size, offset",
        ),
        ("id,lower,upper,size\na,0,1\n", "line 2: 3 cells where the first line has 4"),
        ("id,lower,upper,size\na,0,1,x\n", "line 2: size is \"x\", not a number"),
        ("id,lower,upper,size\na,3,1,8\n", "line 2: the life or the size is negative"),
        ("id,lower,upper,size\na,1,3,-8\n", "line 2: the life or the size is negative"),
        (
            "id,lower,upper,size\na,0,1,9223372036854775807\nb,0,1,1\n",
            "all sizes together are too large to be counted",
        ),
    ];
    for (text, error) in cases {
        assert_eq!(read_csv(text).unwrap_err(), error);
    }
}
