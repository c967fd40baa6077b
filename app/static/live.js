// Live values without a framework: one EventSource per [data-live] element fills the [data-field]s inside it.
for (const place of document.querySelectorAll("[data-live]")) {
  const source = new EventSource(place.dataset.live);
  source.addEventListener("values", (event) => {
    for (const [name, text] of Object.entries(JSON.parse(event.data))) {
      for (const field of place.querySelectorAll(`[data-field="${name}"]`)) {
        if (field.textContent === text) continue;
        field.textContent = text;
        field.classList.remove("live-changed");
        void field.offsetWidth;
        field.classList.add("live-changed");
      }
    }
  });
  addEventListener("pagehide", () => source.close());
}
