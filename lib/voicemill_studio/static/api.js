// Requests to the studio: the parsed answer, or an ApiError with the server's sentence.
export const API = "/studio/api/";

export class ApiError extends Error {
  // status: 0 where the server did not answer. reason: its stable code. body: the whole answer.
  constructor(message, status = 0, body = {}) {
    super(message);
    this.status = status;
    this.reason = body.error || "";
    this.body = body;
  }
}

export async function request(address, options = {}) {
  let answer;
  try {
    answer = await fetch(address, { credentials: "same-origin", cache: "no-store", ...options });
  } catch {
    throw new ApiError("The server does not answer. Is it still running?");
  }
  if (answer.status === 401) {
    location.assign("/studio/login?next=" + encodeURIComponent(location.pathname).replaceAll("%2F", "/"));
    throw new ApiError("Log in again.", 401);
  }
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new ApiError(body.message || body.error || "The server answered with status " + answer.status + ".", answer.status, body);
  return body;
}

export function post(address, value) {
  return request(address, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(value),
  });
}

// An element with attributes and children; text is never parsed as markup.
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

export const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
