/* Fluxgate: everything here adds to pages that work without it. */
(function () {
  'use strict';
}());
