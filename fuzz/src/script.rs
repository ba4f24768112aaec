//! Decides how a fuzzer's bytes become decisions: from the front, in order, and nothing after the end but zeros.
//!
//! So a byte keeps its meaning when bytes behind it change, which is what mutation lives on, and a seed can be written
//! by hand. What comes last in a script takes the rest.

/// The bytes that are left.
#[derive(Clone, Copy, Debug)]
pub struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    /// A script from its beginning.
    pub fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    /// Whether nothing is left.
    pub fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((byte, rest)) => {
                self.0 = rest;
                *byte
            }
            None => 0,
        }
    }

    /// The next number, most significant byte first.
    pub fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// The next `n` bytes, or as many as there are.
    pub fn take(&mut self, n: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(n.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// A byte string behind its length.
    pub fn bytes(&mut self) -> &'a [u8] {
        let n = self.word();
        self.take(n.into())
    }

    /// All that is left.
    pub fn rest(self) -> &'a [u8] {
        self.0
    }

    /// One of several.
    pub fn choose<T: Copy>(&mut self, of: &[T]) -> T {
        let n = usize::from(self.byte()) % of.len();
        of.get(n).copied().expect("a remainder is less than what it was divided by")
    }
}
