// Live values without a framework: one EventSource a page fills the [data-field]s inside each [data-live] place.
const places = document.querySelectorAll("[data-live]");
if (places.length) {
  const source = new EventSource("/live");
  source.addEventListener("values", (event) => {
    for (const [key, fields] of Object.entries(JSON.parse(event.data))) {
      for (const place of places) if (place.dataset.live === key) show(place, fields);
    }
  });
  addEventListener("pagehide", () => source.close());
  // A page that comes back from the browser's history has lost its stream.
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
}

function show(place, fields) {
  for (const [name, value] of Object.entries(fields)) {
    const text = value.word ?? value;
    for (const field of place.querySelectorAll(`[data-field="${CSS.escape(name)}"]`)) {
      if (value.kind !== undefined) field.className = `state ${value.kind}`;
      if (field.textContent === text) continue;
      field.textContent = text;
      field.classList.remove("live-changed");
      void field.offsetWidth;
      field.classList.add("live-changed");
    }
  }
}
