// The line to the run: events come in as server-sent events, commands go out as small requests.

export function connect(receive, broken) {
  const token = new URLSearchParams(location.search).get("token");
  const ask = (path) => `${path}${path.includes("?") ? "&" : "?"}token=${encodeURIComponent(token)}`;
  const source = new EventSource(ask("events"));
  let page = null;
  source.onmessage = ({ data }) => {
    const event = JSON.parse(data);
    if (event.event === "page") page = event.page;
    receive(event);
  };
  source.onerror = () => broken(source);
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", ({ persisted }) => persisted && location.reload()); // come back to: its run has ended
  return async (name, more = {}) => {
    const body = JSON.stringify({ do: name, ...more });
    const answer = await fetch(ask(`do?page=${page}`), { method: "POST", headers: { "Content-Type": "application/json" }, body });
    if (!answer.ok) receive({ event: "refused", what: name, why: await answer.text() });
  };
}
