//! Orders of nodes that use tensors, with less in use at once: plain numbers, without IR.

/// What is to be ordered.
pub(super) struct Problem {
    /// Bytes of each tensor.
    pub sizes: Vec<i64>,
    /// For each node the tensors it uses.
    pub uses: Vec<Vec<usize>>,
    /// For each node those that must come before it; all have smaller numbers.
    pub before: Vec<Vec<usize>>,
}

impl Problem {
    /// What some node uses by itself, the most of any: no order needs less at once.
    fn least(&self) -> i64 {
        let of_node = |uses: &Vec<usize>| -> i64 {
            let mut distinct = uses.clone();
            distinct.sort_unstable();
            distinct.dedup();
            distinct.iter().map(|it| self.sizes[*it]).sum()
        };
        self.uses.iter().map(of_node).max().unwrap_or(0)
    }
}

/// Moves that are tried for each node when an order is improved.
const TRIES: usize = 4;

/// Orders with less in use than in the one that is there, the best first; each is allowed.
pub(super) fn candidates(problem: &Problem) -> Vec<Vec<usize>> {
    let given: Vec<usize> = (0..problem.uses.len()).collect();
    let at_first = Peak::of(problem, &given).bytes;
    if at_first <= problem.least() {
        return Vec::new();
    }
    let mut res: Vec<Vec<usize>> = Vec::new();
    for order in [given.clone(), forward(problem), backward(problem)] {
        let better = improved(problem, order.clone());
        for it in [better, order] {
            if Peak::of(problem, &it).bytes < at_first && !res.contains(&it) {
                res.push(it);
            }
        }
    }
    res.sort_by_key(|it| Peak::of(problem, it));
    res
}

/// How bad an order is: the most in use at once, and at how many nodes that is so.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Peak {
    bytes: i64,
    nodes: usize,
}

impl Peak {
    fn of(problem: &Problem, order: &[usize]) -> Peak {
        let live = live(problem, order);
        let bytes = live.iter().copied().max().unwrap_or(0);
        Peak { bytes, nodes: live.iter().filter(|it| **it == bytes).count() }
    }
}

/// The bytes in use at each place of an order.
fn live(problem: &Problem, order: &[usize]) -> Vec<i64> {
    let mut span: Vec<Option<(usize, usize)>> = vec![None; problem.sizes.len()];
    for (at, node) in order.iter().enumerate() {
        for tensor in &problem.uses[*node] {
            let (from, _) = span[*tensor].unwrap_or((at, at));
            span[*tensor] = Some((from, at));
        }
    }
    let mut change = vec![0; order.len() + 1];
    for (span, size) in span.iter().zip(&problem.sizes) {
        if let Some((from, to)) = span {
            change[*from] += size;
            change[*to + 1] -= size;
        }
    }
    let mut sum = 0;
    change[..order.len()]
        .iter()
        .map(|it| {
            sum += it;
            sum
        })
        .collect()
}

/// From the first to the last, always the node after which least is in use.
fn forward(problem: &Problem) -> Vec<usize> {
    greedy(problem, &problem.before)
}

/// From the last to the first, always the node before which least is in use.
fn backward(problem: &Problem) -> Vec<usize> {
    let mut after = vec![Vec::new(); problem.before.len()];
    for (node, before) in problem.before.iter().enumerate() {
        before.iter().for_each(|it| after[*it].push(node));
    }
    let mut res = greedy(problem, &after);
    res.reverse();
    res
}

fn greedy(problem: &Problem, before: &[Vec<usize>]) -> Vec<usize> {
    let count = before.len();
    let mut left: Vec<usize> = vec![0; problem.sizes.len()];
    problem.uses.iter().flatten().for_each(|it| left[*it] += 1);
    let all = left.clone();
    let mut waiting: Vec<usize> = before.iter().map(Vec::len).collect();
    let mut follow = vec![Vec::new(); count];
    for (node, before) in before.iter().enumerate() {
        before.iter().for_each(|it| follow[*it].push(node));
    }
    let mut ready: Vec<usize> = (0..count).filter(|it| waiting[*it] == 0).collect();
    let mut res = Vec::with_capacity(count);
    while !ready.is_empty() {
        // How what is in use changes. Of equals the one that has been there longest: what belongs
        // together stays together.
        let growth = |node: usize| -> i64 {
            let of = |it: &usize| {
                let begins = if left[*it] == all[*it] { problem.sizes[*it] } else { 0 };
                let ends = if left[*it] == 1 { problem.sizes[*it] } else { 0 };
                begins - ends
            };
            problem.uses[node].iter().map(of).sum()
        };
        let best = (0..ready.len()).min_by_key(|it| (growth(ready[*it]), ready[*it]));
        let node = ready.remove(best.unwrap_or(0));
        problem.uses[node].iter().for_each(|it| left[*it] -= 1);
        for it in &follow[node] {
            waiting[*it] -= 1;
            if waiting[*it] == 0 {
                ready.push(*it);
            }
        }
        res.push(node);
    }
    res
}

/// Moves single nodes across the peak, as long as that lowers it.
fn improved(problem: &Problem, mut order: Vec<usize>) -> Vec<usize> {
    let mut best = Peak::of(problem, &order);
    let least = problem.least();
    let mut tries = TRIES * order.len();
    'again: while least < best.bytes {
        let live = live(problem, &order);
        let Some(at) = live.iter().position(|it| *it == best.bytes) else { return order };
        for moved in (0..order.len()).filter_map(|from| across(problem, &order, from, at)) {
            if tries == 0 {
                return order;
            }
            tries -= 1;
            let peak = Peak::of(problem, &moved);
            if peak < best {
                (best, order) = (peak, moved);
                continue 'again;
            }
        }
        break;
    }
    order
}

/// The order with the node at `from` on the other side of the one at `at`, if that is allowed.
fn across(problem: &Problem, order: &[usize], from: usize, at: usize) -> Option<Vec<usize>> {
    let node = *order.get(from)?;
    let is_allowed = match from < at {
        true => order[from + 1..=at].iter().all(|it| !problem.before[*it].contains(&node)),
        false => order[at..from].iter().all(|it| !problem.before[node].contains(it)),
    };
    if !is_allowed || from == at {
        return None;
    }
    let mut res = order.to_vec();
    match from < at {
        true => res[from..=at].rotate_left(1),
        false => res[at..=from].rotate_right(1),
    }
    Some(res)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_allowed(problem: &Problem, order: &[usize]) -> bool {
        let place = |node: usize| order.iter().position(|it| *it == node);
        let mut sorted = order.to_vec();
        sorted.sort_unstable();
        sorted.iter().copied().eq(0..problem.uses.len())
            && (0..order.len())
                .all(|node| problem.before[node].iter().all(|it| place(*it) < place(node)))
    }

    /// Three large tensors, each of which is made into a small one: made first all at once.
    fn three() -> Problem {
        Problem {
            sizes: vec![100, 100, 100, 1, 1, 1],
            uses: vec![
                vec![0],
                vec![1],
                vec![2],
                vec![0, 3],
                vec![1, 4],
                vec![2, 5],
                vec![3, 4, 5],
            ],
            before: vec![vec![], vec![], vec![], vec![0], vec![1], vec![2], vec![3, 4, 5]],
        }
    }

    #[test]
    fn what_is_large_is_used_before_more_is_made() {
        let problem = three();
        assert_eq!(Peak::of(&problem, &[0, 1, 2, 3, 4, 5, 6]).bytes, 301);
        let orders = candidates(&problem);
        assert!(orders.iter().all(|it| is_allowed(&problem, it)));
        assert_eq!(Peak::of(&problem, &orders[0]).bytes, 103);
        assert_eq!(problem.least(), 101);
    }

    #[test]
    fn an_order_that_cannot_change_has_no_candidates() {
        let mut problem = three();
        problem.before = (0..7).map(|it| (0..it).collect()).collect();
        assert!(candidates(&problem).is_empty());
    }

    #[test]
    fn random_orders_are_allowed() {
        let mut state = 7_u64;
        let mut below = |n: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize % n.max(1)
        };
        for _ in 0..200 {
            let count = 2 + below(12);
            let pick = |below: &mut dyn FnMut(usize) -> usize, n: usize| -> Vec<usize> {
                let mut res: Vec<usize> = (0..below(3)).map(|_| below(n)).collect();
                res.sort_unstable();
                res.dedup();
                res
            };
            let sizes = (0..8).map(|_| below(50) as i64).collect();
            let uses = (0..count).map(|_| pick(&mut below, 8)).collect();
            let before = (0..count)
                .map(|it| if it == 0 { Vec::new() } else { pick(&mut below, it) })
                .collect();
            let problem = Problem { sizes, uses, before };
            assert!(candidates(&problem).iter().all(|it| is_allowed(&problem, it)));
        }
    }
}
