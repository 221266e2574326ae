// <benefit-form>: shows what belongs to the chosen kind. <code-scanner>: reads a QR code with the camera into a field.
class BenefitForm extends HTMLElement {
  connectedCallback() {
    this.addEventListener("change", (event) => {
      if (event.target.matches("[name=kind]")) this.show();
    });
    this.show();
  }

  show() {
    const kind = this.querySelector("[name=kind]")?.value ?? "";
    for (const part of this.querySelectorAll("[data-kinds]")) part.hidden = !part.dataset.kinds.split(" ").includes(kind);
  }
}

const LOOK_EVERY_MS = 250;

class CodeScanner extends HTMLElement {
  async connectedCallback() {
    this.button = this.querySelector("button");
    this.video = this.querySelector("video");
    const formats = "BarcodeDetector" in window ? await window.BarcodeDetector.getSupportedFormats().catch(() => []) : [];
    const able = formats.includes("qr_code") && Boolean(navigator.mediaDevices?.getUserMedia);
    this.button.hidden = !able;
    this.querySelector("[data-none]").hidden = able;
    this.button.addEventListener("click", () => this.scan());
  }

  disconnectedCallback() {
    this.stop();
  }

  async scan() {
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    } catch {
      const fault = this.querySelector("[data-fault]");
      fault.textContent = this.dataset.denied;
      fault.hidden = false;
      return;
    }
    this.video.srcObject = this.stream;
    this.video.hidden = false;
    await this.video.play();
    const detector = new window.BarcodeDetector({ formats: ["qr_code"] });
    this.timer = setInterval(async () => {
      const [found] = await detector.detect(this.video).catch(() => []);
      if (!found || !this.timer) return;
      this.stop();
      const input = document.getElementById(this.dataset.input);
      input.value = found.rawValue.slice(0, 60);
      input.form.requestSubmit();
    }, LOOK_EVERY_MS);
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    if (this.video) this.video.hidden = true;
  }
}

customElements.define("benefit-form", BenefitForm);
customElements.define("code-scanner", CodeScanner);
