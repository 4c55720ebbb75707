/*
title = "Best sold articles"
description = "The articles that brought most, by currency: sales less what came back."
[parameters.first_day]
type = "date"
description = "The first day that counts, in UTC."
default = "0001-01-01"
[parameters.last_day]
type = "date"
description = "The last day that counts."
default = "9999-12-31"
[parameters.top]
type = "integer"
description = "How many articles of each currency at most."
default = 20
minimum = 1
maximum = 10000
*/
WITH by_product AS (
  SELECT
    p.stock_code,
    p.description,
    f.currency,
    count(DISTINCT CASE WHEN f.kind = 'sale' THEN f.source || '/' || f.order_id END) AS orders,
    sum(f.quantity) AS units,
    sum(f.amount) AS revenue
  FROM fact_order_lines AS f
  JOIN dim_date AS d ON d.date_key = f.date_key
  JOIN dim_product AS p ON p.product_key = f.product_key
  WHERE d.day BETWEEN :first_day AND :last_day
  GROUP BY p.stock_code, p.description, f.currency
),
ranked AS (
  SELECT *, row_number() OVER (PARTITION BY currency ORDER BY revenue DESC, stock_code) AS place
  FROM by_product
)
SELECT currency, place, stock_code, description, orders, units, revenue
FROM ranked
WHERE place <= :top
ORDER BY currency, place
