use super::{Build, CommandError, Slot, Value, props::Props};

/// What the option `vga` asks for.
#[derive(Debug, Clone)]
pub(super) struct Vga {
    kind: String,
    memory: Option<u64>,
    clipboard: bool,
}

impl Vga {
    pub(super) fn read(main: &config::Section, windows: Option<u32>) -> Result<Self, CommandError> {
        let props = Props::of(main, "vga")?;
        let default = if windows.is_some_and(|version| version < 6) { "cirrus" } else { "std" };
        let clipboard = match props.get("clipboard") {
            None => false,
            Some("vnc") => true,
            Some(_) => return Err(props.invalid("clipboard", "vnc")),
        };
        let kind = props.get("type").unwrap_or(default).to_owned();
        Ok(Self { kind, memory: props.number("memory"), clipboard })
    }

    pub(super) fn is_none(&self) -> bool {
        self.kind == "none"
    }

    pub(super) fn is_serial(&self) -> bool {
        matches!(self.kind.as_str(), "serial0" | "serial1" | "serial2" | "serial3")
    }
}

impl Build<'_> {
    /// The display: a card with a VNC server behind it, or none.
    pub(super) fn display(&mut self) -> Result<(), CommandError> {
        let vga = self.vga.clone();
        if vga.is_serial() && self.main.get(&vga.kind).is_none() {
            return Err(CommandError::invalid("vga", format!("there is no '{}'", vga.kind)));
        }
        if vga.is_none() || vga.is_serial() {
            if vga.is_none() {
                self.option("-vga", Value::new("none"));
            }
            self.flag("-nographic");
        } else {
            self.card(&vga)?;
            let path = self.socket("vnc")?;
            let Ok(text) = path.into_os_string().into_string() else {
                return Err(CommandError::unsupported("vga", "a VNC socket below a root that is not UTF-8"));
            };
            self.option("-vnc", Value::new(format!("unix:{},password=on", text.replace(',', ",,"))));
            if let Some(layout) = self.main.get("keyboard") {
                self.option("-k", Value::new(layout));
            }
        }
        if vga.clipboard {
            self.device_at(Value::new("virtio-serial,id=spice"), Slot::Clipboard);
            self.devices
                .push(("-chardev", Value::new("qemu-vdagent,id=vdagent,name=vdagent,clipboard=on").into()));
            self.device(Value::new("virtserialport,chardev=vdagent,name=com.redhat.spice.0"));
        }
        Ok(())
    }

    fn card(&mut self, vga: &Vga) -> Result<(), CommandError> {
        let model = match vga.kind.as_str() {
            "std" => "VGA",
            "cirrus" => "cirrus-vga",
            "vmware" => "vmware-svga",
            "virtio" => "virtio-vga",
            "virtio-gl" => "virtio-vga-gl",
            kind @ ("qxl" | "qxl2" | "qxl3" | "qxl4") => {
                return Err(CommandError::unsupported(
                    "vga",
                    format!("'{kind}' needs SPICE, which is not served here"),
                ));
            }
            other => return Err(CommandError::invalid("vga", format!("value '{other}' is no display"))),
        };
        let mut device = Value::new(model).raw("id=vga");
        if let Some(memory) = vga.memory {
            device = if model.starts_with("virtio") {
                device.set("max_hostmem", memory << 20)
            } else {
                device.set("vgamem_mb", memory)
            };
        }
        if vga.kind == "virtio-gl" {
            if !self.facts.render_node {
                let missing = "no DRM render node detected (/dev/dri/renderD*), no GPU? - needed for 'virtio-gl' display";
                return Err(CommandError::missing("vga", missing));
            }
            self.option("-display", Value::new("egl-headless,gl=core"));
        }
        device = self.buses.put(device, Slot::Vga(0));
        // Windows with SeaBIOS would be kept to few resolutions.
        if model == "VGA" && self.windows.is_some() && !self.ovmf() {
            device = device.raw("edid=off");
        }
        self.device(device);
        Ok(())
    }

    /// Sound that is thrown away; heard it would be through SPICE only.
    pub(super) fn audio(&mut self) -> Result<(), CommandError> {
        let Some(text) = self.main.get("audio0") else { return Ok(()) };
        let props = Props::parse("audio0", text)?;
        match props.get("driver") {
            Some("none") => {}
            None | Some("spice") => {
                return Err(CommandError::unsupported(
                    "audio0",
                    "sound over SPICE, which is not served here; driver=none",
                ));
            }
            Some(_) => return Err(props.invalid("driver", "spice or none")),
        }
        self.devices.push(("-audiodev", Value::new("none,id=none-backend0").into()));
        match props.get("device") {
            Some("AC97") => {
                let device = self.buses.put(Value::new("AC97,id=audio0"), Slot::Audio);
                self.device(device.raw("audiodev=none-backend0"));
            }
            Some(device @ ("ich9-intel-hda" | "intel-hda")) => {
                self.device_at(Value::new(device).raw("id=audio0"), Slot::Audio);
                for (number, codec) in ["hda-micro", "hda-duplex"].iter().enumerate() {
                    self.device(Value::new(format!(
                        "{codec},id=audio0-codec{number},bus=audio0.0,cad={number},audiodev=none-backend0"
                    )));
                }
            }
            _ => return Err(props.invalid("device", "ich9-intel-hda, intel-hda or AC97")),
        }
        Ok(())
    }
}
