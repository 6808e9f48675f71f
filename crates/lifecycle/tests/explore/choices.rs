/// A path through a tree of choices, and the way to the next one: depth first, every leaf once.
#[derive(Default)]
pub(crate) struct Choices {
    path: Vec<(usize, usize)>,
    at: usize,
}

impl Choices {
    /// Takes one of `options` ways; the first one where the path has not been here yet.
    pub(crate) fn pick(&mut self, options: usize) -> usize {
        if self.at == self.path.len() {
            self.path.push((0, options));
        }
        let (taken, known) = self.path[self.at];
        assert_eq!(known, options, "the same path led to another choice");
        self.at += 1;
        taken
    }

    /// Turns to the next path; false where there is none.
    pub(crate) fn next(&mut self) -> bool {
        self.path.truncate(self.at);
        self.at = 0;
        while let Some((taken, options)) = self.path.pop() {
            if taken + 1 < options {
                self.path.push((taken + 1, options));
                return true;
            }
        }
        false
    }
}
