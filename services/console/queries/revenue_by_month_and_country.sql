/*
title = "Revenue by month and country"
description = "For each month, country and currency: orders and lines placed, what was sold, what came back and what is left of it. Revenue is the sum of every line, adjustments of the books included."
[parameters.first_day]
type = "date"
description = "The first day that counts, in UTC."
default = "0001-01-01"
[parameters.last_day]
type = "date"
description = "The last day that counts."
default = "9999-12-31"
*/
SELECT
  d.year,
  d.month,
  c.country,
  f.currency,
  count(DISTINCT CASE WHEN f.kind = 'sale' THEN f.source || '/' || f.order_id END) AS orders,
  count(*) AS lines,
  sum(CASE WHEN f.kind = 'sale' THEN f.amount ELSE 0 END) AS sold,
  sum(CASE WHEN f.kind = 'cancellation' THEN -f.amount ELSE 0 END) AS returned,
  sum(f.amount) AS revenue
FROM fact_order_lines AS f
JOIN dim_date AS d ON d.date_key = f.date_key
JOIN dim_country AS c ON c.country_key = f.country_key
WHERE d.day BETWEEN :first_day AND :last_day
GROUP BY d.year, d.month, c.country, f.currency
ORDER BY d.year, d.month, c.country, f.currency
