//! A reader of bytes from the front, each exactly once.

/// The unread bytes.
#[derive(Clone)]
pub(super) struct Bytes<'a> {
    rest: &'a [u8],
}

impl<'a> Bytes<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next `count` bytes.
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    pub(super) fn array<const COUNT: usize>(&mut self) -> Option<[u8; COUNT]> {
        self.take(COUNT)?.try_into().ok()
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        let [byte] = self.array()?;
        Some(byte)
    }

    /// The next byte without reading it.
    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The unread bytes, without reading them.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The bytes read since `before`, an earlier copy of this reader.
    pub(super) fn since(&self, before: &Self) -> Option<&'a [u8]> {
        before.rest.get(..before.rest.len().checked_sub(self.rest.len())?)
    }

    /// `Some` if all bytes are read.
    pub(super) const fn end(&self) -> Option<()> {
        if self.rest.is_empty() { Some(()) } else { None }
    }
}

/// `Some` if `condition` holds.
pub(super) const fn holds(condition: bool) -> Option<()> {
    if condition { Some(()) } else { None }
}
