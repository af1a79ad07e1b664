//! Small integers that stand for names inside one snapshot or one process.

/// A subject known to the snapshot: an index into `Snapshot::callers`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubjectId(pub u32);

impl SubjectId {
    /// Of one who is not in the snapshot: there are never so many.
    pub const ABSENT: Self = Self(u32::MAX);
}

/// A team known to the snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TeamId(pub u32);

/// A model known to the snapshot: an index into `Snapshot::models`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelId(pub u32);

/// One place on the network that targets live at. The same place has the same key in every snapshot
/// and on every core: pools, health and addresses outlive a snapshot by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointKey(pub u64);

/// The name of one receipt, unique for the life of a data directory.
///
/// **Shape**: printed as `EPOCH-CORE-SEQUENCE`, e.g. `18c2f4a9b3d1-0-41`: hexadecimal epoch
/// (milliseconds of the wall clock when the process took the data directory, bumped when not
/// larger than the epoch before), decimal core and sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReceiptId {
    pub epoch: u64,
    pub core: u16,
    pub sequence: u64,
}

impl std::fmt::Display for ReceiptId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:x}-{}-{}", self.epoch, self.core, self.sequence)
    }
}

impl std::str::FromStr for ReceiptId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('-');
        let (Some(epoch), Some(core), Some(sequence), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(());
        };
        Ok(Self {
            epoch: u64::from_str_radix(epoch, 16).map_err(drop)?,
            core: core.parse().map_err(drop)?,
            sequence: sequence.parse().map_err(drop)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::ReceiptId;

    #[test]
    fn a_receipt_id_reads_back_as_printed() {
        let id = ReceiptId { epoch: 0x18c2_f4a9_b3d1, core: 3, sequence: 41 };
        assert_eq!(id.to_string(), "18c2f4a9b3d1-3-41");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("1-2".parse::<ReceiptId>(), Err(()));
        assert_eq!("1-2-3-4".parse::<ReceiptId>(), Err(()));
    }
}
