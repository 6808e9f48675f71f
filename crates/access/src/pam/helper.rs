//! The helper process: loads `libpam.so.0`, asks it, and says the answer by its exit code. Nothing is linked at build time.

#![expect(unsafe_code, reason = "dlopen(3) and the C interface of PAM, pam(3)")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::io::Read;
use std::path::Path;
use std::ptr::{null, null_mut};

/// Values of Linux-PAM's `_pam_types.h`.
const SUCCESS: c_int = 0;
const BUFFER_ERROR: c_int = 5;
const CONVERSATION_ERROR: c_int = 19;
const SILENT: c_int = 0x8000;
const DISALLOW_NULL_TOKEN: c_int = 0x0001;
const PROMPT_ECHO_OFF: c_int = 1;
const PROMPT_ECHO_ON: c_int = 2;

/// One question of PAM.
#[repr(C)]
struct Message {
    style: c_int,
    text: *const c_char,
}

/// The answer, which PAM frees.
#[repr(C)]
struct Response {
    text: *mut c_char,
    code: c_int,
}

/// Who answers, and with what.
#[repr(C)]
struct Conversation {
    answer: extern "C" fn(c_int, *mut *const Message, *mut *mut Response, *mut c_void) -> c_int,
    data: *mut c_void,
}

type Start =
    unsafe extern "C" fn(*const c_char, *const c_char, *const Conversation, *mut *mut c_void) -> c_int;
type Step = unsafe extern "C" fn(*mut c_void, c_int) -> c_int;
type Told = unsafe extern "C" fn(*mut c_void, c_int) -> *const c_char;

/// The services to ask, the first that the host has: our own, Proxmox VE's, and what distributions share.
const SERVICES: [&str; 5] = ["hookvisor", "proxmox-ve-auth", "common-auth", "system-auth", "login"];

/// Reads a user's name and, after the line's end, the password from standard input. Returns 0 where PAM accepts them, 1 where it
/// does not, 2 where it cannot be asked; standard output has the reason.
#[must_use]
pub fn main() -> i32 {
    let mut request = String::new();
    if std::io::stdin().take(64 * 1024).read_to_string(&mut request).is_err() {
        return 2;
    }
    let (reason, code) = match request.split_once('\n') {
        None => ("called without a request".to_owned(), 2),
        Some((user, password)) => match ask(user, password) {
            Ok(Ok(())) => return 0,
            Ok(Err(reason)) => (reason, 1),
            Err(problem) => (problem, 2),
        },
    };
    println!("{reason}");
    code
}

/// What PAM says: accepted, refused with a reason, or not asked.
fn ask(user: &str, password: &str) -> Result<Result<(), String>, String> {
    let service = SERVICES.iter().find(|name| {
        ["/etc/pam.d", "/usr/lib/pam.d"].iter().any(|folder| Path::new(folder).join(name).exists())
    });
    let service = CString::new(*service.ok_or("the host has no service of PAM to ask")?);
    let texts = (service, CString::new(user), CString::new(password));
    let (Ok(service), Ok(user), Ok(password)) = texts else {
        return Err("a name or password with a NUL".to_owned());
    };
    let library = Library::open()?;
    // SAFETY: the types are those of pam_start(3), pam_authenticate(3), pam_acct_mgmt(3), pam_end(3) and pam_strerror(3).
    let (start, authenticate, account, end, told) = unsafe {
        (
            library.function::<Start>(c"pam_start")?,
            library.function::<Step>(c"pam_authenticate")?,
            library.function::<Step>(c"pam_acct_mgmt")?,
            library.function::<Step>(c"pam_end")?,
            library.function::<Told>(c"pam_strerror")?,
        )
    };
    let answers = (user, password);
    let conversation = Conversation { answer, data: (&raw const answers).cast_mut().cast() };
    let mut handle = null_mut();
    // SAFETY: all pointers are valid, and what they lead to lives until pam_end below.
    let mut code =
        unsafe { start(service.as_ptr(), answers.0.as_ptr(), &raw const conversation, &raw mut handle) };
    for step in [authenticate, account] {
        if code == SUCCESS {
            // SAFETY: pam_start made the handle.
            code = unsafe { step(handle, SILENT | DISALLOW_NULL_TOKEN) };
        }
    }
    // SAFETY: pam_strerror returns a text of its own, or null, and takes any handle; the text is copied at once.
    let reason = unsafe {
        let text = told(handle, code);
        if text.is_null() { String::new() } else { CStr::from_ptr(text).to_string_lossy().into_owned() }
    };
    if !handle.is_null() {
        // SAFETY: the handle is pam_start's and is not used any more.
        unsafe { end(handle, code) };
    }
    Ok(if code == SUCCESS { Ok(()) } else { Err(reason) })
}

/// Answers PAM's questions: the password where it is not shown, the name where it is, nothing to what only informs.
extern "C" fn answer(
    count: c_int,
    messages: *mut *const Message,
    responses: *mut *mut Response,
    data: *mut c_void,
) -> c_int {
    let Some(count) = usize::try_from(count).ok().filter(|count| (1..=32).contains(count)) else {
        return CONVERSATION_ERROR;
    };
    // SAFETY: calloc(3) takes any sizes; PAM frees what it returns.
    let made: *mut Response = unsafe { libc::calloc(count, size_of::<Response>()) }.cast();
    if made.is_null() {
        return BUFFER_ERROR;
    }
    // SAFETY: `data` is what `ask` put into the conversation and outlives it.
    let (user, password) = unsafe { &*data.cast::<(CString, CString)>() };
    for index in 0..count {
        // SAFETY: Linux-PAM passes `count` pointers to messages; `made` has room for as many responses.
        unsafe {
            let text = match (**messages.add(index)).style {
                PROMPT_ECHO_OFF => password.as_ptr(),
                PROMPT_ECHO_ON => user.as_ptr(),
                _ => null(),
            };
            if !text.is_null() {
                (*made.add(index)).text = libc::strdup(text);
            }
        }
    }
    // SAFETY: PAM passes a place for the answers.
    unsafe { *responses = made };
    SUCCESS
}

/// A loaded library. It stays loaded: modules may have left something that is called at the process's end.
struct Library(*mut c_void);

impl Library {
    fn open() -> Result<Self, String> {
        if !crate::PAM {
            return Err("this program is static and can load no library, libpam.so.0 neither".to_owned());
        }
        // SAFETY: the name is a valid text; the library's own initialisers are trusted as PAM is.
        let handle = unsafe { libc::dlopen(c"libpam.so.0".as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
        if handle.is_null() { Err("libpam.so.0 cannot be loaded".to_owned()) } else { Ok(Self(handle)) }
    }

    /// A function of the library.
    ///
    /// # Safety
    /// `T` is the type of a pointer to that very function.
    unsafe fn function<T: Copy>(&self, name: &CStr) -> Result<T, String> {
        // SAFETY: the handle is dlopen's, the name a valid text.
        let found = unsafe { libc::dlsym(self.0, name.as_ptr()) };
        if found.is_null() || size_of::<T>() != size_of_val(&found) {
            return Err(format!("libpam.so.0 has no {}", name.to_string_lossy()));
        }
        // SAFETY: by this function's contract; the sizes are the same.
        Ok(unsafe { std::mem::transmute_copy(&found) })
    }
}
