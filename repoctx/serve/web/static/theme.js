// Which colours? As the system, light, or dark; set before anything is drawn.
"use strict";
const kept = localStorage.getItem("theme");
if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
