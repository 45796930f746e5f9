// A microphone with a level meter, and takes as WAV files at the microphone's own rate.
const BEFORE = 0.4;       // seconds before the start that a take keeps
const ENOUGH = 0.25;      // seconds of speech after which silence ends a take
const SILENCE = 1.1;      // seconds of silence that end a take
const LONGEST = 35;       // seconds of a take
const ABOVE_ROOM = 12;    // dB above the room that count as speech

export class Recorder {
  // onLevel(level, room): dBFS, about 20 times a second. onSilence(): the speaker has finished.
  constructor({ onLevel, onSilence }) {
    this.onLevel = onLevel;
    this.onSilence = onSilence;
    this.recent = [];
    this.levels = [];
    this.take = null;
  }

  // device: id of a microphone; the browser's choice by default. Another one may be open before.
  async open(worklet, device) {
    const wanted = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    if (device) wanted.deviceId = { exact: device };
    const stream = await navigator.mediaDevices.getUserMedia({ audio: wanted });
    if (this.stream) {
      for (const track of this.stream.getTracks()) track.stop();
      await this.context.close();
    }
    this.stream = stream;
    this.recent = [];
    this.levels = [];
    const { sampleRate } = this.stream.getAudioTracks()[0].getSettings();
    this.context = new AudioContext(sampleRate ? { sampleRate } : {});
    await this.context.audioWorklet.addModule(worklet);
    const source = this.context.createMediaStreamSource(this.stream);
    const node = new AudioWorkletNode(this.context, "recorder", { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
    node.port.onmessage = (event) => this.receive(event.data);
    source.connect(node);
    await this.context.resume();
  }

  get rate() { return this.context.sampleRate; }
  get recording() { return this.take !== null; }

  receive(block) {
    let power = 0;
    for (const sample of block) power += sample * sample;
    const level = 10 * Math.log10(Math.max(power / block.length, 1e-9)), seconds = block.length / this.rate;
    this.levels.push(level);
    if (this.levels.length > 400) this.levels.shift();
    const sorted = [...this.levels].sort((one, two) => one - two);
    const room = sorted[Math.floor(sorted.length / 10)];
    this.onLevel(level, room);
    if (!this.take) {
      this.recent.push(block);
      while ((this.recent.length - 1) * seconds > BEFORE) this.recent.shift();
      return;
    }
    this.take.blocks.push(block);
    this.take.seconds += seconds;
    if (level > room + ABOVE_ROOM && level > -55) {
      this.take.speech += seconds;
      this.take.silence = 0;
    } else {
      this.take.silence += seconds;
    }
    if (this.take.seconds > LONGEST || (this.take.speech > ENOUGH && this.take.silence > SILENCE)) this.onSilence();
  }

  start() {
    this.take = { blocks: [...this.recent], seconds: 0, speech: 0, silence: 0 };
    this.recent = [];
  }

  // The take as a WAV file.
  stop() {
    const { blocks } = this.take;
    this.take = null;
    return wav(blocks, this.rate);
  }
}

export function wav(blocks, rate) {
  const count = blocks.reduce((sum, block) => sum + block.length, 0);
  const view = new DataView(new ArrayBuffer(44 + 2 * count));
  const text = (at, letters) => [...letters].forEach((letter, index) => view.setUint8(at + index, letter.charCodeAt(0)));
  text(0, "RIFF"); view.setUint32(4, 36 + 2 * count, true); text(8, "WAVEfmt ");
  view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, 1, true);
  view.setUint32(24, rate, true); view.setUint32(28, 2 * rate, true); view.setUint16(32, 2, true); view.setUint16(34, 16, true);
  text(36, "data"); view.setUint32(40, 2 * count, true);
  let at = 44;
  for (const block of blocks) {
    for (const sample of block) {
      view.setInt16(at, Math.max(-32768, Math.min(32767, Math.round(32767 * sample))), true);
      at += 2;
    }
  }
  return new Blob([view.buffer], { type: "audio/wav" });
}
