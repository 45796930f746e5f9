// Requests to the studio: the parsed answer, or an Error with the server's sentence.
export async function request(address, options = {}) {
  let answer;
  try {
    answer = await fetch(address, { credentials: "same-origin", cache: "no-store", ...options });
  } catch {
    throw new Error("The server does not answer. Is it still running?");
  }
  if (answer.status === 401) {
    location.assign("/studio/login?next=" + encodeURIComponent(location.pathname).replaceAll("%2F", "/"));
    throw new Error("Log in again.");
  }
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.message || body.error);
  return body;
}

export function post(address, value) {
  return request(address, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(value),
  });
}
