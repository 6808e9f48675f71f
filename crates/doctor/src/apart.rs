//! Questions in threads of their own, so that one which hangs holds up no other.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Asks the same of each item, all at once, and waits no longer than `limit` in all: none for those that have not answered
/// by then. Their threads are left to themselves, and end with the process.
pub(crate) fn each<T, R>(
    items: Vec<T>,
    limit: Duration,
    ask: impl Fn(&T) -> R + Send + Sync + 'static,
) -> Vec<(Arc<T>, Option<R>)>
where
    T: Send + Sync + 'static,
    R: Send + 'static,
{
    let deadline = Instant::now() + limit;
    let ask = Arc::new(ask);
    let (sender, answers) = channel();
    let mut asked: Vec<(Arc<T>, Option<R>)> = items.into_iter().map(|item| (Arc::new(item), None)).collect();
    let mut owed = 0;
    for (index, (item, _)) in asked.iter().enumerate() {
        let (item, ask, sender) = (Arc::clone(item), Arc::clone(&ask), sender.clone());
        let body = move || {
            let _ = sender.send((index, ask(&item)));
        };
        owed += usize::from(thread::Builder::new().name("doctor".to_owned()).spawn(body).is_ok());
    }
    drop(sender);
    while owed > 0 {
        match answers.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok((index, answer)) => asked[index].1 = Some(answer),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
        owed -= 1;
    }
    asked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_hangs_has_no_answer_and_holds_up_nobody() {
        let began = Instant::now();
        let answers = each(vec![1, 2, 3], Duration::from_millis(200), |item| {
            if *item == 2 {
                thread::sleep(Duration::from_secs(60));
            }
            item * 10
        });
        let answers: Vec<Option<i32>> = answers.into_iter().map(|(_, answer)| answer).collect();
        assert_eq!(answers, [Some(10), None, Some(30)]);
        assert!(began.elapsed() < Duration::from_secs(10));
        assert!(each(Vec::<u8>::new(), Duration::from_secs(60), |_| ()).is_empty());
    }
}
