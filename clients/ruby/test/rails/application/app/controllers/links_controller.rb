# frozen_string_literal: true

# Answers with what Karma said, and by which process.
class LinksController < ActionController::API
  def index
    links = Link.order(:id).to_a
    render json: { clicks: links.to_h { |link| [link.id, link.clicks] }, process: Process.pid }
  end

  def show
    render json: { clicks: Link.find(params[:id]).clicks, process: Process.pid }
  end

  def clicks
    counted = Link.find(params[:id]).increment_clicks!(params.fetch(:value).to_i)
    render json: { counted: counted, process: Process.pid }
  end
end
