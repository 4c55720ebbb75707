/*
title = "Return rate by article"
description = "For each article and currency: pieces and amounts sold and cancelled, and the share of the pieces that came back; the highest share first. More than was sold can come back, for what was sold before these days."
[parameters.first_day]
type = "date"
description = "The first day that counts, in UTC."
default = "0001-01-01"
[parameters.last_day]
type = "date"
description = "The last day that counts."
default = "9999-12-31"
[parameters.least_sold]
type = "integer"
description = "Pieces that have to be sold for the article to count."
default = 100
minimum = 1
maximum = 1000000
[parameters.top]
type = "integer"
description = "How many rows at most."
default = 50
minimum = 1
maximum = 10000
*/
WITH by_product AS (
  SELECT
    p.stock_code,
    p.description,
    f.currency,
    sum(CASE WHEN f.kind = 'sale' AND f.quantity > 0 THEN f.quantity ELSE 0 END) AS sold_units,
    sum(CASE WHEN f.kind = 'cancellation' THEN -f.quantity ELSE 0 END) AS returned_units,
    sum(CASE WHEN f.kind = 'sale' AND f.quantity > 0 THEN f.amount ELSE 0 END) AS sold,
    sum(CASE WHEN f.kind = 'cancellation' THEN -f.amount ELSE 0 END) AS returned
  FROM fact_order_lines AS f
  JOIN dim_date AS d ON d.date_key = f.date_key
  JOIN dim_product AS p ON p.product_key = f.product_key
  WHERE d.day BETWEEN :first_day AND :last_day
  GROUP BY p.stock_code, p.description, f.currency
)
SELECT
  stock_code,
  description,
  currency,
  sold_units,
  returned_units,
  round(CAST(returned_units AS DOUBLE) / CAST(sold_units AS DOUBLE), 4) AS rate,
  sold,
  returned
FROM by_product
WHERE sold_units >= :least_sold
ORDER BY CAST(returned_units AS DOUBLE) / CAST(sold_units AS DOUBLE) DESC, stock_code, currency
LIMIT :top
