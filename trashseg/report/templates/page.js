(() => {
  const root = document.documentElement;
  let kept = null;
  try { kept = localStorage.getItem("trashseg-theme"); } catch { /* pages opened from disk may have no storage */ }
  if (kept) root.dataset.theme = kept;
  document.getElementById("theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try { localStorage.setItem("trashseg-theme", root.dataset.theme); } catch { /* as above */ }
  });
  const light = document.createElement("dialog");
  light.innerHTML = "<img alt=''>";
  light.addEventListener("click", () => light.close());
  document.body.append(light);
  document.querySelectorAll(".panel img").forEach((image) => image.addEventListener("click", () => {
    light.firstChild.src = image.src;
    light.firstChild.alt = image.alt;
    light.showModal();
  }));
})();
