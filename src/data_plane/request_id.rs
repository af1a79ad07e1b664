//! The ids that requests get from us.

/// A request id of ours: 32 hexadecimal digits.
#[derive(Clone, Copy)]
pub struct RequestId([u8; 32]);

impl RequestId {
    pub fn of(number: u128) -> Self {
        let (bytes, mut digits) = (number.to_be_bytes(), [0; 32]);
        for (eight, part) in digits.chunks_exact_mut(8).zip(bytes.as_chunks().0) {
            eight.copy_from_slice(&eight_digits(u32::from_be_bytes(*part)));
        }
        Self(digits)
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("digits are ASCII")
    }
}

/// A number in hexadecimal digits, all eight at once: half of it is moved apart three times, until
/// each nibble has a byte; then those above 9 are moved to where the letters are.
fn eight_digits(number: u32) -> [u8; 8] {
    const EACH: u64 = u64::from_le_bytes([1; 8]);
    let mut apart = u64::from(number);
    apart = (apart << 16 | apart) & 0x0000_ffff_0000_ffff;
    apart = (apart << 8 | apart) & 0x00ff_00ff_00ff_00ff;
    apart = (apart << 4 | apart) & (EACH * 0x0f);
    let is_letter = (apart + EACH * 6) >> 4 & EACH;
    (apart + EACH * u64::from(b'0') + is_letter * u64::from(b'a' - b'9' - 1)).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::eight_digits;

    #[test]
    fn eight_digits_are_written_as_std_writes_them() {
        for number in [0, 0x1234_5678, 0x9abc_def0, 0x0f0f_a09f, u32::MAX] {
            assert_eq!(eight_digits(number), *format!("{number:08x}").as_bytes());
        }
    }
}
