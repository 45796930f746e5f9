// Takes the place of the agent's own voice router in its tests: forwards each request to `server.py`, which runs ours.
// What our server asks for (a backend, a remote service) comes back to `bridge`, which calls the `fetch` of the test.
import { Router } from "express";
import http from "node:http";
import type { AddressInfo } from "node:net";

const OURS = Number(process.env.SHIM_PORT);
const TARGETS: Record<string, string> = { tts: "TTS_BASE_URL", remote: "ELEVENLABS_API_BASE" };
const PASSED_ON = ["x-tenant-id", "x-customer-id", "accept", "content-type"];
const OF_CONNECTION = ["connection", "transfer-encoding", "content-length", "content-encoding"];

let reset = true;
export const resetVoiceRouteState = () => {
  reset = true;
};

const read = async (stream: AsyncIterable<Buffer>) => {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
};

const answerFromFetch = async (req: http.IncomingMessage, res: http.ServerResponse) => {
  const [, kind, ...rest] = (req.url ?? "").split("/");
  const base = (process.env[TARGETS[kind]] ?? "").trim().replace(/\/+$/, "");
  const headers: Record<string, string> = { "content-type": "application/json" };
  for (const name of ["accept", "xi-api-key"]) if (req.headers[name]) headers[name] = String(req.headers[name]);
  const body = (await read(req)).toString("utf8");
  const answer = await globalThis.fetch(`${base}/${rest.join("/")}`, { method: "POST", headers, body });
  res.statusCode = answer.status;
  answer.headers.forEach((value, name) => OF_CONNECTION.includes(name) || res.setHeader(name, value));
  res.end(Buffer.from(await answer.arrayBuffer()));
};

let bridge: Promise<string> | undefined;
const bridgeAddress = () =>
  (bridge ??= new Promise((resolve) => {
    const server = http.createServer((req, res) => void answerFromFetch(req, res).catch(() => res.destroy()));
    server.unref();
    server.listen(0, "127.0.0.1", () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
  }));

const environment = async () => {
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (/^(VOICE_|TTS_BASE_URL|ELEVENLABS_)/.test(name) && value) found[name] = value;
  }
  for (const [kind, name] of Object.entries(TARGETS)) if (found[name]) found[name] = `${await bridgeAddress()}/${kind}`;
  return Buffer.from(JSON.stringify(found)).toString("base64");
};

export const voiceRouter = Router();
voiceRouter.use(async (req, res) => {
  const parsed = req.body !== undefined && req.is("application/json");
  const body = parsed ? Buffer.from(JSON.stringify(req.body)) : await read(req);
  const headers: Record<string, string | number> = { host: "localhost", "x-shim-environment": await environment() };
  for (const name of PASSED_ON) if (req.headers[name]) headers[name] = String(req.headers[name]);
  headers["content-length"] = body.length;
  if (reset) headers["x-shim-reset"] = "1";
  reset = false;
  const options = { host: "127.0.0.1", port: OURS, path: req.originalUrl, method: req.method, headers };
  const call = http.request(options, (answer) => {
    res.statusCode = answer.statusCode ?? 500;
    for (const [name, value] of Object.entries(answer.headers)) {
      if (value && !["connection", "transfer-encoding"].includes(name)) res.setHeader(name, value);
    }
    answer.pipe(res);
  });
  call.on("error", () => res.status(599).end());
  call.end(body);
});
