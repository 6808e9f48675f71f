//! The tiny VM: a boot sector that does one thing, so that a guest is up within SeaBIOS's tenth of a second.
//!
//! It knows the fixed hardware of QEMU's `pc` and `q35` machines as SeaBIOS sets them up: ACPI's power management
//! registers at 0x600 (status), 0x602 (enable) and 0x604 (control), the reset register at 0xcf9, the BIOS's tick
//! counter at 0x46c (18.2 a second) and the first serial port at 0x3f8.
#![expect(unsafe_code, reason = "the boot sector is assembled into this program and read from there")]

use std::io::Write;
use std::path::Path;

/// What the tiny VM does once it has booted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behaviour {
    /// Powers off when the power button is pressed.
    Obeys,
    /// Goes on when the power button is pressed.
    Ignores,
    /// Powers itself off after so many ticks of 55 ms; obeys the button until then.
    PowersOff {
        /// Ticks since boot.
        ticks: u16,
    },
    /// Resets itself once, so many ticks of 55 ms after its first boot; afterwards as [`Behaviour::Obeys`].
    ResetsOnce {
        /// Ticks since the first boot.
        ticks: u16,
    },
    /// Switches interrupts off and halts: nothing but the hypervisor's end ends it.
    Halts,
    /// Writes a text, at most [`MAX_TEXT`] bytes, and a line's end on the first serial port; then as [`Behaviour::Obeys`].
    Prints(String),
}

/// The longest text that [`Behaviour::Prints`] can print, in bytes.
pub const MAX_TEXT: usize = 63;

/// The size of an image in bytes: a disk of 512 bytes does not boot from a SATA controller.
pub const SIZE: u64 = 1 << 20;

const SECTOR: usize = 512;
/// Where the code looks for its parameters: flags (u16), ticks (u16), text (NUL-terminated).
const PARAMETERS: usize = 0x1b0;

const OBEY: u16 = 1;
const POWER_OFF: u16 = 2;
const RESET: u16 = 4;
const HALT: u16 = 8;
const PRINT: u16 = 16;

std::arch::global_asm!(
    r#"
    .pushsection .rodata.tiny_vm, "a", @progbits
    .code16
    .globl tiny_vm_begin
    .globl tiny_vm_end
tiny_vm_begin:
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7000
    cld
    sti
    mov bx, word ptr [0x7db0]
    mov cx, word ptr [0x46c]
    test bl, 16
    jz 20f
    # Print the text: wait until the transmitter is empty, then send a byte.
    mov si, 0x7db4
10: lodsb
    test al, al
    jz 20f
    mov ah, al
    mov dx, 0x3fd
11: in al, dx
    test al, 0x20
    jz 11b
    mov al, ah
    mov dx, 0x3f8
    out dx, al
    jmp 10b
20: test bl, 8
    jz 21f
    cli
    hlt
    # CMOS byte 0x51 outlives a reset but not the hypervisor.
21: mov al, 0x51
    out 0x70, al
    in al, 0x71
    cmp al, 0x5a
    jne 22f
    and bl, 0xfb
22: test bl, 1
    jz 30f
    mov dx, 0x602
    in ax, dx
    or ax, 0x100
    out dx, ax
30: hlt
    test bl, 1
    jz 31f
    mov dx, 0x600
    in ax, dx
    test ah, 1
    jnz 40f
31: mov ax, word ptr [0x46c]
    sub ax, cx
    cmp ax, word ptr [0x7db2]
    jb 30b
    test bl, 2
    jnz 40f
    test bl, 4
    jz 30b
    mov al, 0x51
    out 0x70, al
    mov al, 0x5a
    out 0x71, al
    mov dx, 0xcf9
    mov al, 2
    out dx, al
    mov al, 6
    out dx, al
    jmp 30b
40: mov dx, 0x604
    mov ax, 0x2000
    out dx, ax
    jmp 30b
tiny_vm_end:
    .code64
    .popsection
"#
);

unsafe extern "C" {
    static tiny_vm_begin: u8;
    static tiny_vm_end: u8;
}

fn code() -> &'static [u8] {
    // SAFETY: both symbols lie in one section of this program's read-only data, the second behind the first, and
    // everything between them is initialised and never written.
    unsafe {
        let begin = &raw const tiny_vm_begin;
        let end = &raw const tiny_vm_end;
        std::slice::from_raw_parts(begin, end.offset_from_unsigned(begin))
    }
}

/// The boot sector for a behaviour.
///
/// # Panics
/// If the text to print is longer than [`MAX_TEXT`].
#[must_use]
pub fn boot_sector(behaviour: &Behaviour) -> [u8; SECTOR] {
    let (flags, ticks, text) = match behaviour {
        Behaviour::Obeys => (OBEY, 0, String::new()),
        Behaviour::Ignores => (0, 0, String::new()),
        Behaviour::PowersOff { ticks } => (OBEY | POWER_OFF, *ticks, String::new()),
        Behaviour::ResetsOnce { ticks } => (OBEY | RESET, *ticks, String::new()),
        Behaviour::Halts => (HALT, 0, String::new()),
        Behaviour::Prints(text) => (OBEY | PRINT, 0, format!("{text}\r\n")),
    };
    assert!(text.len() <= MAX_TEXT + 2, "{text:?} is too long for a boot sector");
    let code = code();
    assert!(code.len() <= PARAMETERS, "the boot sector's code runs into its parameters");
    let mut sector = [0; SECTOR];
    sector[..code.len()].copy_from_slice(code);
    sector[PARAMETERS..PARAMETERS + 2].copy_from_slice(&flags.to_le_bytes());
    sector[PARAMETERS + 2..PARAMETERS + 4].copy_from_slice(&ticks.to_le_bytes());
    sector[PARAMETERS + 4..PARAMETERS + 4 + text.len()].copy_from_slice(text.as_bytes());
    sector[SECTOR - 2..].copy_from_slice(&[0x55, 0xaa]);
    sector
}

/// Writes a raw disk image with that behaviour.
///
/// # Errors
/// If the file cannot be written.
pub fn write_image(path: &Path, behaviour: &Behaviour) -> std::io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    file.write_all(&boot_sector(behaviour))?;
    file.set_len(SIZE)
}
